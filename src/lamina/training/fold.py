"""One fold: its stages one after another, resumed where they stopped, and its held-out answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina import files
from lamina.data.readers.cache import RECENT
from lamina.errors import BundleError, RecipeError
from lamina.folders import METRICS
from lamina.model.memory_layout import lay_out
from lamina.prediction.tiling.memory import available_memory
from lamina.progress import say
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.training.saving.checkpoints import best_of
from lamina.training.saving.finished import refuse_longer
from lamina.training.saving.state import (
    KeptCheckpoint,
    Position,
    Saving,
    TrainState,
    drop_tensors,
    load_optimizer,
    load_state,
    optimizer_parts,
    save_state,
)
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.ema import Average
from lamina.training.stage.loop import look, run_stage
from lamina.training.stage.steps.compiled import CompiledNetwork
from lamina.training.stage.steps.sharing import is_split
from lamina.training.stage.time_limit import note_deadline, stage_time


@dataclass(frozen=True)
class FoldMembers:
    """What a fold leaves: its members with the epoch and score they were chosen by."""

    folder: Path
    members: tuple[tuple[str, KeptCheckpoint], ...]
    """Names and weights, best first."""
    skipped: int
    limited: Mapping[str, int] = field(default_factory=dict)
    """Epochs of each stage that the time limit ended."""

    def path(self, kept: KeptCheckpoint) -> Path:
        """Return where weights lie."""
        return self.folder / kept.stage / kept.file


_SHARE = 8
"""The part of the free memory that decoded images of the training cases may take: one of these."""


def train_fold(job: FoldContext, saving: Saving) -> FoldMembers:
    """Run every stage of the fold from where an earlier run stopped; return its members.

    The state of a finished fold is dropped, unless it is to be kept or the time limit ended it.

    Raises:
        StoppedError: a signal asked to stop; the state is saved.
        BundleError: every save of an earlier run is damaged.
        RecipeError: stages that were trained are no longer the first ones of the recipe, or a
            finished one asks for more epochs and its state was dropped.
    """
    ranks, saves = job.ranks, job.folder / "state"
    found = ranks.on_main(lambda: load_state(saves))
    state, number = found if found is not None else (TrainState(Position(), {}), 0)
    position, tensors = state.position, state.tensors
    if ranks.is_main:
        _forget_later_rows(job.folder / METRICS, position.rows)
    stages = job.recipe.stages
    names, trained = [stage.name for stage in stages], list(position.members)
    if names[: len(trained)] != trained or position.stage >= len(names):
        raise RecipeError(
            f"{job.folder}: has trained the stages {', '.join(trained)}, and the recipe now begins "
            f"with {', '.join(names)}; choose another --out"
        )
    for one in position.kept:
        one.stage = one.stage or names[position.stage]
    if not tensors:
        refuse_longer(job.folder, position, stages)
    elif position.epoch < stages[position.stage].epochs:
        position.stage_done = False  # the recipe now asks for more epochs; a tired stage stays so
    while not (position.stage_done and position.stage == len(stages) - 1):
        if position.stage_done:
            position, tensors = _next(job, position), {}
        stage = stages[position.stage]
        staged = job.at(stage)
        now = _training(staged, stage, position, tensors, number, saving)
        with RECENT.allowing(available_memory() // _SHARE):
            run_stage(staged, now)
        number = ranks.on_main(lambda: _newest(saves))
    if _is_dropped(position, stages[-1], saving):
        ranks.on_main(lambda: drop_tensors(saves, position, number=number))
    return ranks.on_main(lambda: _checked(job, position))


def _is_dropped(position: Position, stage: Stage, saving: Saving) -> bool:
    """Whether nothing goes on from the end of the stage, so that its tensors are not kept."""
    return position.stage_done and not saving.keep and stage.name not in position.limited


def _checked(job: FoldContext, position: Position) -> FoldMembers:
    """Return what the last stage left, once every file is as it was written."""
    last = job.recipe.stages[-1]
    left = position.members[last.name]
    several = last.member == "top"
    names = [
        f"{job.folder.name}-{n}" if several else job.folder.name for n in range(1, 1 + len(left))
    ]
    members = tuple(zip(names, left, strict=True))
    trained = FoldMembers(job.folder, members, position.skipped, dict(position.limited))
    for kept in left:
        path = trained.path(kept)
        if not path.is_file() or files.digest(path) != kept.sha256:
            raise BundleError(
                f"{path}: missing or damaged; delete {job.folder} to train the fold again"
            )
    return trained


def _training(
    job: FoldContext,
    stage: Stage,
    position: Position,
    tensors: Mapping[str, Tensor],
    number: int,
    saving: Saving,
) -> StageState:
    """Make the stage's network, optimiser and average, new or as saved."""
    network = _network(job, stage, position, saved=_below(tensors, "network/"))
    optimizer = stage.optimizer.build(network)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    average = None if stage.ema is None else Average(stage.ema, network)
    if tensors:
        load_optimizer(optimizer, _below(tensors, "optimizer/"), position.optimizer)
        if average is not None:
            average.load(_below(tensors, "average/"), position.averaged)
    scaler = job.accelerator.scaler
    if scaler is not None:  # else its wrapper of optimisers only costs time
        optimizer = job.accelerator.prepare(optimizer)
        if position.scaler:
            scaler.load_state_dict(position.scaler)

    def save() -> None:
        nonlocal number
        look(job, now)
        if not job.ranks.is_main:
            return
        number += 1
        if job.clock is not None:
            job.clock.note()
        kept: dict[str, Tensor] = {}
        if not _is_dropped(position, stage, saving):
            parts, position.optimizer = optimizer_parts(optimizer)
            position.averaged = 0 if average is None else average.steps
            position.scaler = {} if scaler is None else scaler.state_dict()
            kept |= {f"network/{k}": v for k, v in network.state_dict().items()}
            kept |= {f"optimizer/{k}": v for k, v in parts.items()}
            kept |= {f"average/{k}": v for k, v in (average.tensors if average else {}).items()}
        save_state(job.folder / "state", TrainState(position, kept), number=number)
        now.saved, now.named = time.monotonic(), position.named

    limit = stage_time(job.clock, job.recipe, position, job.folds_left)
    if job.ranks.is_main:
        note_deadline(job.folder, limit, job.recipe, job.folds_left)
    position.take(job.ranks.tell(position))
    now = StageState(
        stage, network, optimizer, rates, average, position, save, saving.minutes * 60, time=limit
    )
    now.named = position.named
    now.compiled = _compiled(job, stage, network)
    return now


def _compiled(job: FoldContext, stage: Stage, network: nn.Module) -> CompiledNetwork | None:
    """Return the network as it is compiled for batches, where that is asked for and can be."""
    if not stage.compile:
        return None
    title = f"{job.title} {stage.name}"
    if is_split(stage, job.ranks.size):  # to try it would pass norms that wait for other ranks
        say(f"{title}: is trained as it is, since split batches are not compiled")
        return None
    return CompiledNetwork(network, title)


def _network(
    job: FoldContext, stage: Stage, position: Position, *, saved: Mapping[str, Tensor]
) -> nn.Module:
    """Build the network: as saved, from earlier weights, or from its own start."""
    recipe, ranks = job.recipe, job.ranks
    option = recipe.network
    if saved or (stage.start is not None and stage.start_with == "all") or not ranks.is_main:
        option = option.untrained()
    # New layers draw from torch's own generator, which the run puts back in the end.
    torch.manual_seed(int(rng(recipe.seed, "network", job.folder.name, stage.name).integers(2**31)))
    network = option.build(recipe.frame.inputs, job.task.outputs)
    if saved:
        network.load_state_dict(saved)
    elif ranks.is_main:
        _begin(job, stage, position, network)
    if ranks.size > 1:
        own = {name: value.cpu() for name, value in network.state_dict().items()}
        network.load_state_dict(ranks.tell(own))
        if is_split(stage, ranks.size) and job.accelerator.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return lay_out(network.to(job.accelerator.device))


def _begin(job: FoldContext, stage: Stage, position: Position, network: nn.Module) -> None:
    """Give a network the weights that its stage starts from; its own, where it says nothing."""
    if stage.start == "bundle":
        if job.origin is None:
            raise ValueError("a stage starts from a bundle, and the job has none")
        job.origin.fill(network, stage, job.title)
    elif stage.start is not None:
        best = stage.start == "best"
        kept = best_of(position, job.recipe.monitor) if best else position.members[stage.start][0]
        network.load_state_dict(load_file(job.folder / kept.stage / kept.file))


def _next(job: FoldContext, position: Position) -> Position:
    """Return the beginning of the next stage, with the best so far where it is carried in."""
    number = position.stage + 1
    kept = [best_of(position, job.recipe.monitor)] if job.recipe.stages[number].carry_best else []
    fresh = Position()
    return replace(
        fresh,
        stage=number,
        rows=position.rows,
        members=position.members,
        kept=kept,
        limited=position.limited,
    )


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _newest(saves: Path) -> int:
    return max((int(path.name) for path in saves.iterdir() if path.name.isdigit()), default=0)


def _forget_later_rows(log: Path, rows: int) -> None:
    # Rows beyond the state belong to epochs that will be done again (C08).
    if log.is_file():
        lines = log.read_bytes().splitlines(keepends=True)
        if len(lines) != rows:
            files.write_bytes(log, b"".join(lines[:rows]))
