"""One stage of training, readable from top to bottom."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lamina.data.mixing import Samples
from lamina.errors import LaminaError, StoppedError
from lamina.files import append_line
from lamina.model.deep_supervision import total_over_sizes
from lamina.model.memory_layout import layout_of
from lamina.prediction.engine import Member
from lamina.progress import Bar, say
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.training.ensembles.soup import soup
from lamina.training.saving.checkpoints import Checkpoints
from lamina.training.saving.state import KeptCheckpoint, Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loader import Batch, Epoch, batches, epoch_of
from lamina.training.stage.time_limit import validations_after
from lamina.training.stage.validate import ValidationScores, validate

_WORST_RUN = 20  # skipped steps in a row after which training is broken, not unlucky (N01)


def run_stage(job: FoldContext, now: StageState) -> None:
    """Train from the position to the end of the stage; the position says where it ended.

    Raises:
        StoppedError: a signal asked to stop; the state is saved.
        LaminaError: the loss was not finite many times in a row, or in a whole epoch.
    """
    stage, position = now.stage, now.position
    checkpoints = Checkpoints(
        job.folder / stage.name, stage.keep, job.recipe.monitor, top_of=stage.top_of
    )
    out_of_time = _ended_before(job, now)
    while (
        position.epoch < stage.epochs and not out_of_patience(stage, position) and not out_of_time
    ):
        begun = time.monotonic()
        share = _train_epoch(job, now)
        refuse_without_steps(job, now)
        row = _row(now, time.monotonic() - begun)
        out_of_time = now.time is not None and now.time.over()
        if job.held_out and (out_of_time or _due(stage, position.epoch)):
            row |= _validated(job, now, checkpoints)
        if share < 1:
            row["share"] = round(share, 3)
        row["seconds"] = round(time.monotonic() - begun, 3)
        _write_row(job, position, row)
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, {}
        now.save()
        checkpoints.drop_evicted(position)
        _leave_if_asked(job, now, saved=True)
    _note_limit(job, now)
    position.members[stage.name] = _left(job, now, checkpoints)
    position.stage_done = True
    now.save()


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
    better = checkpoints.offer(now.position, judged.value, weights)
    if now.time is not None:
        times = validations_after(job.recipe, now.position.stage)
        now.time.validated(time.monotonic() - begun, times)
    row: dict[str, Any] = {"monitor": judged.value, "best": better}
    row |= {} if judged.loss is None else {"validation_loss": judged.loss}
    return row | ({"judged": list(judged.each)} if judged.each else {})


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


def out_of_patience(stage: Stage, position: Position) -> bool:
    """Return whether the stage ends here for want of a better score."""
    return stage.patience is not None and position.stale >= stage.patience


def _train_epoch(job: FoldContext, now: StageState) -> float:
    """Train to the end of the epoch or of the stage's time; return how much of it, up to 1."""
    position = now.position
    stage, cases = job.made.mixed(now.stage, job.cases)
    samples = epoch_of(job.recipe, job.task, cases, job.normalise, stage, position.epoch)
    groups = stage.sampler.groups(len(samples), stage.batch)
    if position.batch == 0:
        # Dropout draws from torch's own generator; it too follows from (seed, stage, epoch).
        torch.manual_seed(
            int(rng(job.recipe.seed, stage.name, position.epoch, "torch").integers(2**31))
        )
    now.network.train()
    _freeze(now.network, frozen=position.epoch < stage.freeze_encoder)
    title = f"{job.title} {stage.name} epoch {position.epoch + 1}/{stage.epochs}"
    pending: list[Batch] = []
    steps = math.ceil(len(groups) / stage.accumulate)
    with Bar(title, len(groups), done=position.batch) as bar:
        for batch in _batches(job, now, samples, groups[position.batch :]):
            pending.append(mix_batch(job, stage, position, batch))
            position.batch += 1
            if len(pending) < stage.accumulate and position.batch < len(groups):
                continue
            set_rates(job, now, steps)
            loss = _step(job, now, pending, steps)
            bar.advance(len(pending), f"loss {loss:.4f}")
            pending = []
            _leave_if_asked(job, now)
            if now.time is not None and now.time.over():
                break
            if time.monotonic() - now.saved > now.save_seconds:
                now.save()
                now.saved = time.monotonic()
    return position.batch / len(groups)


def _batches(
    job: FoldContext, now: StageState, samples: Epoch, groups: Sequence[list[int]]
) -> Iterator[Batch]:
    """Yield batches; the first time that a loader process is killed, half as many go on (M06)."""

    def fewer(workers: int) -> None:
        now.workers = workers

    if now.workers is not None:
        return batches(samples, groups, workers=now.workers)
    return batches(samples, groups, workers=job.workers, fewer=fewer)


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
        at = max(at, end * now.time.share())
    factor = schedule.factor(at, end, position.history, job.recipe.monitor.higher_is_better)
    for group, rate in zip(now.optimizer.param_groups, now.rates, strict=True):
        group["lr"] = rate * factor
    position.rate = max(now.rates) * factor


def _step(
    job: FoldContext, now: StageState, pending: Sequence[Batch], steps_per_epoch: int
) -> float:
    """Take one optimiser step over the batches; return their loss. No sample is lost."""
    recipe, position = job.recipe, now.position
    count = sum(len(batch.image) for batch in pending)
    sums: dict[str, float] = {}
    for batch in pending:
        device = job.accelerator.device
        layout = layout_of(now.network, batch.image.ndim)
        image = batch.image.to(device, memory_format=layout, non_blocking=True)
        # One memory layout for answer and target: a mixed pair costs the loss twice its time.
        target = batch.target.to(device, memory_format=layout, non_blocking=True)
        valid = batch.valid.to(device, non_blocking=True)
        with job.accelerator.autocast():
            answer = now.network(image)
        loss, parts = total_over_sizes(
            job.losses or recipe.loss,
            answer,
            target,
            valid,
            exclusive=job.task.exclusive,
            smoothing=recipe.label_smoothing,
            floor=recipe.loss_floor,
            share=len(batch.image) / count,
        )
        _backward(job, loss)
        for name, value in {"loss": loss.detach(), **parts}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    scaled = job.accelerator.scaler is not None  # the scaler itself skips and adapts
    if scaled:
        job.accelerator.unscale_gradients()
    limit = now.stage.clip_norm or math.inf
    norm = float(nn.utils.clip_grad_norm_(now.network.parameters(), limit))
    if math.isfinite(sums["loss"]) and (scaled or math.isfinite(norm)):
        now.optimizer.step()
        if now.average is not None:
            now.average.update(now.network, steps_per_epoch=steps_per_epoch)
        now.bad_run = 0
        for name, mean in sums.items():
            position.sums[name] = position.sums.get(name, 0.0) + mean * count
        position.sums["samples"] = position.sums.get("samples", 0.0) + count
    else:
        _skip(job, now, sums["loss"], norm)
    now.optimizer.zero_grad(set_to_none=True)
    position.step += 1
    return sums["loss"]


def _backward(job: FoldContext, loss: Tensor) -> None:
    # accelerate's own looks for uninstalled packages on the disk at every step, a tenth of a
    # millisecond; with one process and no scaler there is nothing for it to do.
    if job.accelerator.scaler is None:
        torch.autograd.backward(loss)
    else:
        job.accelerator.backward(loss)


def _skip(job: FoldContext, now: StageState, loss: float, norm: float) -> None:
    now.position.skipped += 1
    now.bad_run += 1
    now.why = f"loss {loss}, gradient norm {norm}"
    if now.bad_run >= _WORST_RUN:
        raise _broken(job, now, f"{now.bad_run} steps in a row were not finite")


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


def _validate(job: FoldContext, now: StageState) -> tuple[dict[str, Tensor], ValidationScores]:
    member = Member(now.network, job.normalise)
    options: dict[str, Any] = {"device": job.accelerator.device, "precision": job.precision}
    options["losses"] = job.losses or job.recipe.loss
    if now.average is None:
        judged = validate(job.recipe, job.task, job.held_out, member, **options)
    else:
        with now.average.applied(now.network):
            judged = validate(job.recipe, job.task, job.held_out, member, **options)
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
    append_line(job.folder / "metrics.jsonl", json.dumps(row))
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


def _leave_if_asked(job: FoldContext, now: StageState, *, saved: bool = False) -> None:
    if not job.stop.signal:
        return
    if not saved:
        now.save()
    raise StoppedError(
        f"{job.folder}: stopped in stage {now.stage.name}, epoch {now.position.epoch + 1}, and "
        "saved; run the same command again to resume",
        job.stop.signal,
    )


def mix_batch(job: FoldContext, stage: Stage, position: Position, batch: Batch) -> Batch:
    """Return the batch with its samples mixed; as it is, where the stage mixes nothing.

    Chance belongs to (seed, stage, epoch, batch), so that neither workers nor an interruption
    change anything.
    """
    if not stage.mix:
        return batch
    chance = rng(job.recipe.seed, stage.name, position.epoch, "mix", position.batch)
    stack = Samples(batch.image.numpy(), batch.target.numpy(), batch.valid.numpy())
    for one in stage.mix:
        stack = one.mix(stack, exclusive=job.task.exclusive, rng=chance)
    return Batch(*(torch.from_numpy(part) for part in stack))
