"""One stage of training, readable from top to bottom."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from lamina.data.mixing import Samples
from lamina.errors import LaminaError, StoppedError
from lamina.files import append_line, write_json
from lamina.folders import METRICS, VALIDATION
from lamina.prediction.engine import Member
from lamina.progress import Bar, say
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.training.ensembles.soup import soup
from lamina.training.saving.checkpoints import Checkpoints
from lamina.training.saving.finished import out_of_patience
from lamina.training.saving.state import KeptCheckpoint, Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.loader import BatchLoader
from lamina.training.stage.loading.samples import Batch, StageData
from lamina.training.stage.steps.sharing import (
    is_split,
    refuse_sharing,
    refuse_split,
    shares,
    words,
)
from lamina.training.stage.steps.step import Step, seed_batch
from lamina.training.stage.steps.totals import EVERY
from lamina.training.stage.time_limit import validations_after
from lamina.training.stage.validate import ValidationScores, validate

_WORST_RUN = 20  # skipped steps in a row after which training is broken, not unlucky (N01)
_WHOLE = 10**9  # of the time of a stage, as ranks tell each other


def run_stage(job: FoldContext, now: StageState) -> None:
    """Train from the position to the end of the stage; the position says where it ended.

    Raises:
        StoppedError: a signal asked to stop; the state is saved.
        LaminaError: the loss was not finite many times in a row, or in a whole epoch.
        RecipeError: the stage cannot be shared by so many processes.
    """
    stage, position, ranks = now.stage, now.position, job.ranks
    refuse_sharing(stage, job.losses or job.recipe.loss, ranks.size)
    if ranks.size > 1:
        say(words(stage, ranks.size))
    checkpoints = Checkpoints(
        job.folder / stage.name, stage.keep, job.recipe.monitor, top_of=stage.top_of
    )
    out_of_time = ranks.on_main(lambda: _ended_before(job, now))
    while (
        position.epoch < stage.epochs and not out_of_patience(stage, position) and not out_of_time
    ):
        begun = time.monotonic()
        share = _train_epoch(job, now)
        refuse_without_steps(job, now)
        row = _row(now, time.monotonic() - begun)
        out_of_time = ranks.on_main(lambda: now.time is not None and now.time.over())
        if job.held_out and (out_of_time or _due(stage, position.epoch)):
            row |= _validated(job, now, checkpoints)
        if share < 1:
            row["share"] = round(share, 3)
        row["seconds"] = round(time.monotonic() - begun, 3)
        if ranks.is_main:
            _write_row(job, position, row)
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, {}
        stop = max(ranks.gather(job.stop.signal))
        # The first epoch is saved whatever it took: a full disk shows, and `predict` has weights.
        if stop or now.due or position.rows == 1:
            now.save()
        if ranks.is_main:
            if job.clock is not None:
                job.clock.note()
            checkpoints.drop_evicted(position, now.named)
        position.take(ranks.tell(position))
        ranks.refuse_drift(now.network)
        _leave_if_asked(job, now, stop, saved=True)
    now.loader = None  # its processes end; a soup has some of its own
    position.take(ranks.on_main(lambda: _ended(job, now, checkpoints)))
    now.save()
    if ranks.is_main:
        checkpoints.drop_evicted(position, now.named, last=stage.keep_last)


def _ended(job: FoldContext, now: StageState, checkpoints: Checkpoints) -> Position:
    """Write what leaves the stage; return the position at its end."""
    _note_limit(job, now)
    now.position.members[now.stage.name] = _left(job, now, checkpoints)
    now.position.stage_done = True
    return now.position


def _due(stage: Stage, epoch: int) -> bool:
    """Whether an epoch, counted from 0, is followed by a validation."""
    if epoch + 1 == stage.epochs:
        return True
    return (
        epoch >= stage.validate_from
        and (epoch + 1 - stage.validate_from) % (stage.validate_every) == 0
    )


def _validated(job: FoldContext, now: StageState, checkpoints: Checkpoints) -> dict[str, Any]:
    """Validate, keep the weights if they are among the best, and return what the log says."""
    begun = time.monotonic()
    weights, judged = _validate(job, now)
    if judged is None:  # the main rank keeps weights and scores
        return {}
    better = checkpoints.offer(now.position, judged.value, weights)
    _note_worst(job, now.position, judged)
    if now.time is not None:
        times = validations_after(job.recipe, now.position.stage)
        now.time.validated(time.monotonic() - begun, times)
    row: dict[str, Any] = {"monitor": judged.value, "best": better}
    row |= {} if judged.loss is None else {"validation_loss": judged.loss}
    return row | ({"judged": list(judged.each)} if judged.each else {})


def _note_worst(job: FoldContext, position: Position, judged: ValidationScores) -> None:
    """Write down the worst cases of this validation, for who looks at the training."""
    about = {"stage": job.recipe.stages[position.stage].name, "epoch": position.epoch}
    about |= {"metric": job.recipe.monitor.title, "value": judged.value}
    cases = [asdict(case) for case in judged.worst]
    write_json(job.folder / VALIDATION, {**about, "cases": cases})


def _ended_before(job: FoldContext, now: StageState) -> bool:
    """Whether an earlier process ended the stage for want of time, or may do nothing more."""
    position = now.position
    if now.time is None or position.batch or not position.step:
        return False  # at least one step is taken in every stage
    return now.time.over() and bool(position.history or not job.held_out)


def _note_limit(job: FoldContext, now: StageState) -> None:
    """Say where the time limit ended the stage, and keep it in the position."""
    position, stage = now.position, now.stage
    position.limited.pop(stage.name, None)
    if now.time is None or position.epoch >= stage.epochs or out_of_patience(stage, position):
        return
    position.limited[stage.name] = position.epoch
    say(
        f"{job.title} {stage.name}: the time limit ended the stage after {position.epoch} of "
        f"{stage.epochs} epochs; the best so far is kept"
    )


def _left(job: FoldContext, now: StageState, checkpoints: Checkpoints) -> list[KeptCheckpoint]:
    """Return what leaves the stage, best first."""
    position, member = now.position, now.stage.member
    if now.stage.keep_last and member != "last":
        checkpoints.last(position, _weights(now))
    if member == "last" or not job.held_out:
        return [checkpoints.last(position, _weights(now))]
    if member == "soup":
        return [soup(job, now, checkpoints)]
    return checkpoints.top(position.kept) if member == "top" else position.kept[:1]


def _train_epoch(job: FoldContext, now: StageState) -> float:
    """Train to the end of the epoch or of the stage's time; return how much of it, up to 1."""
    position, ranks = now.position, job.ranks
    data, loader = _data(job, now), _loader(job, now)
    stage, samples = data.stage, data.epoch(position.epoch)
    groups = stage.sampler.groups(len(samples), stage.batch)
    refuse_split(stage, now.network, groups, ranks.size, job.accelerator.device.type)
    now.network.train()
    _freeze(now.network, frozen=position.epoch < stage.freeze_encoder)
    now.learning = None
    title = f"{job.title} {stage.name} epoch {position.epoch + 1}/{stage.epochs}"
    count = math.ceil(len(groups) / stage.accumulate)
    steps = shares(
        groups, stage.accumulate, begin=position.batch, rank=ranks.rank, ranks=ranks.size
    )
    own = [list(numbers) for step in steps for _, numbers in step.own]
    with Bar(title, len(groups), done=position.batch) as bar:
        made = loader.batches(samples, own)
        for share in steps:
            set_rates(job, now, count)
            step = Step(job, now, share.samples, split=is_split(stage, ranks.size))
            for number, _ in share.own:
                seed_batch(job.recipe.seed, stage.name, position.epoch, number)
                step.add(mix_batch(job, stage, replace(position, batch=number), next(made)))
            step.take(count)
            position.batch = share.first + share.batches
            note = ""
            if now.totals.steps >= EVERY:
                note = f"loss {look(job, now):.4f}"
            bar.advance(share.batches, note)
            if _over(job, now):
                break
    ranks.settle()
    look(job, now)
    return position.batch / len(groups)


def _over(job: FoldContext, now: StageState) -> bool:
    """Save or leave where that is due on any rank; return whether the time of the stage is over."""
    time_share = 0 if now.time is None else round(now.time.share() * _WHOLE)
    main = job.ranks.is_main
    over = main and now.time is not None and now.time.over()
    due = main and now.due
    stop, over_now, due_now, used = job.ranks.agree(
        [job.stop.signal, int(over), int(due), time_share if main else 0]
    )
    now.agreed = max(now.agreed, used / _WHOLE)  # the first answer of an epoch is 0
    _leave_if_asked(job, now, stop)
    if due_now and not over_now:
        now.save()
    return bool(over_now)


def look(job: FoldContext, now: StageState) -> float:
    """Read what the steps came to; return the mean loss of those since the last look.

    Raises:
        LaminaError: too many in a row were left out.
    """
    read = now.totals.read(now.position)
    now.why = read.why or now.why
    if read.worst >= _WORST_RUN:
        raise _broken(job, now, f"{read.worst} steps in a row were not finite")
    return read.loss


def _data(job: FoldContext, now: StageState) -> StageData:
    """Return what the stage draws from, made-up labels included; prepared once."""
    if now.data is None:
        stage, cases = job.made.mixed(now.stage, job.cases)
        now.data = StageData(job.recipe, job.task, cases, job.normalise, stage)
    return now.data


def _loader(job: FoldContext, now: StageState) -> BatchLoader:
    """Return what makes the batches of the stage; its processes end with the stage."""
    if now.loader is None:
        now.loader = BatchLoader(job.workers, pin=job.accelerator.device.type == "cuda")
    return now.loader


def set_rates(job: FoldContext, now: StageState, steps_per_epoch: int) -> None:
    """Set the learning rate of each group for the coming step, by epochs or by the time used."""
    stage, position, schedule = now.stage, now.position, now.stage.schedule
    at: float
    at, end = (
        (position.step, steps_per_epoch * stage.epochs)
        if schedule.unit == "step"
        else (position.epoch, stage.epochs)
    )
    if now.time is not None:  # whichever runs out first ends the stage
        at = max(at, end * (now.time.share() if job.ranks.size == 1 else now.agreed))
    factor = schedule.factor(at, end, position.history, job.recipe.monitor.higher_is_better)
    for group, rate in zip(now.optimizer.param_groups, now.rates, strict=True):
        group["lr"] = rate * factor
    position.rate = max(now.rates) * factor


def refuse_without_steps(job: FoldContext, now: StageState) -> None:
    """End the run after an epoch in which no step was taken: nothing was learnt (WORK-14)."""
    if not now.position.sums.get("samples"):
        raise _broken(job, now, "not one step of the epoch was finite")


def _broken(job: FoldContext, now: StageState, what: str) -> LaminaError:
    name = now.stage.name
    return LaminaError(
        f"{job.title}, stage {name}, epoch {now.position.epoch + 1}: {what} "
        f"({now.why or 'no reason was kept'}); lower stages.{name}.optimizer.lr, set "
        f"stages.{name}.clip_norm, or set precision: float32, and train into another --out"
    )


def _freeze(network: nn.Module, *, frozen: bool) -> None:
    encoder = getattr(network, "encoder", None)
    if encoder is None:
        return
    for value in encoder.parameters():
        value.requires_grad_(not frozen)
    if frozen:
        encoder.eval()  # batch statistics stay as they are, too


def _weights(now: StageState) -> dict[str, Tensor]:
    weights = {name: value.detach() for name, value in now.network.state_dict().items()}
    return weights | (now.average.tensors if now.average is not None else {})


def _validate(
    job: FoldContext, now: StageState
) -> tuple[dict[str, Tensor], ValidationScores | None]:
    """Return the weights and, on the main rank, their scores."""
    member = Member(now.network, job.normalise)
    options: dict[str, Any] = {"device": job.accelerator.device, "precision": job.precision}
    options |= {"losses": job.losses or job.recipe.loss, "ranks": job.ranks}
    with nullcontext() if now.average is None else now.average.applied(now.network):
        judged = validate(job.recipe, job.task, job.held_out, member, **options)
    if judged is not None:
        now.position.history.append(judged.value)
    return _weights(now), judged


def _row(now: StageState, seconds: float) -> dict[str, Any]:
    position = now.position
    seen = position.sums.get("samples", 0.0)
    means = {
        name: value / seen for name, value in position.sums.items() if seen and name != "samples"
    }
    return {
        "stage": now.stage.name,
        "epoch": position.epoch,
        "step": position.step,
        **means,
        "lr": position.rate,
        "skipped": position.skipped,
        "train_seconds": round(seconds, 3),
    }


def _write_row(job: FoldContext, position: Position, row: dict[str, Any]) -> None:
    append_line(job.folder / METRICS, json.dumps(row))
    position.rows += 1
    words = [f"loss {row['loss']:.4f}" if "loss" in row else "no finite step"]
    if "validation_loss" in row:
        words.append(f"validation {row['validation_loss']:.4f}")
    if "monitor" in row:
        words.append(f"{job.recipe.monitor.kind} {row['monitor']:.4f}{' *' if row['best'] else ''}")
    say(
        f"{job.title} {row['stage']} epoch {int(row['epoch']) + 1:3d}  {'  '.join(words)}  "
        f"lr {row['lr']:.2e}  {row['seconds']:.1f} s"
    )
    numbers = {f"{job.folder.name}/{k}": v for k, v in row.items() if isinstance(v, int | float)}
    job.track(numbers, position.rows)


def _leave_if_asked(job: FoldContext, now: StageState, signal: int, *, saved: bool = False) -> None:
    if not signal:
        return
    if not saved:
        now.save()
    raise StoppedError(
        f"{job.folder}: stopped in stage {now.stage.name}, epoch {now.position.epoch + 1}, and "
        "saved; run the same command again to resume",
        signal,
    )


def mix_batch(job: FoldContext, stage: Stage, position: Position, batch: Batch) -> Batch:
    """Return the batch with its samples mixed; as it is, where the stage mixes nothing.

    Chance belongs to (seed, stage, epoch, batch), so that neither workers nor an interruption
    change anything.
    """
    if not stage.mix:
        return batch
    chance = rng(job.recipe.seed, stage.name, position.epoch, "mix", position.batch)
    target, valid = (part.float().numpy() for part in (batch.target, batch.valid))
    stack = Samples(batch.image.numpy(), target, valid)
    for one in stage.mix:
        stack = one.mix(stack, exclusive=job.task.exclusive, rng=chance)
    return Batch(*(torch.from_numpy(part) for part in stack))
