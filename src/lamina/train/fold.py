"""One fold: its stages one after another, resumed where they stopped, and its held-out answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina import files
from lamina.chance import rng
from lamina.errors import BundleError, RecipeError
from lamina.recipe.stage import Stage
from lamina.train.ema import Average
from lamina.train.loop import Job, Training, run_stage
from lamina.train.state import (
    Kept,
    Position,
    TrainState,
    load_optimizer,
    load_state,
    optimizer_parts,
    save_state,
)


@dataclass(frozen=True)
class Trained:
    """What a fold leaves: the file of its member, with the epoch and score it was chosen by."""

    path: Path
    stage: str
    kept: Kept
    skipped: int


def train_fold(job: Job, *, save_seconds: float) -> Trained:
    """Run every stage of the fold from where an earlier run stopped; return its member.

    Raises:
        StoppedError: a signal asked to stop; the state is saved.
        BundleError: every save of an earlier run is damaged.
        RecipeError: stages that were trained are no longer the first ones of the recipe.
    """
    saves = job.folder / "state"
    found = load_state(saves)
    state, number = found if found is not None else (TrainState(Position(), {}), 0)
    position, tensors = state.position, state.tensors
    _forget_later_rows(job.folder / "metrics.jsonl", position.rows)
    stages = job.recipe.stages
    names, trained = [stage.name for stage in stages], list(position.members)
    if names[: len(trained)] != trained or position.stage >= len(names):
        raise RecipeError(
            f"{job.folder}: has trained the stages {', '.join(trained)}, and the recipe now begins "
            f"with {', '.join(names)}; choose another --out"
        )
    if position.epoch < stages[position.stage].epochs:
        position.stage_done = False  # the recipe now asks for more epochs; a tired stage stays so
    while not (position.stage_done and position.stage == len(stages) - 1):
        if position.stage_done:
            position, tensors = _next(position), {}
        stage = stages[position.stage]
        now = _training(job, stage, position, tensors, number, save_seconds)
        run_stage(job, now)
        number = _newest(saves)
    last = stages[-1].name
    kept = position.members[last]
    path = job.folder / last / kept.file
    if not path.is_file() or files.digest(path) != kept.sha256:
        raise BundleError(f"{path}: missing or damaged; delete {job.folder} to train the fold anew")
    return Trained(path, last, kept, position.skipped)


def _training(
    job: Job,
    stage: Stage,
    position: Position,
    tensors: Mapping[str, Tensor],
    number: int,
    save_seconds: float,
) -> Training:
    """Make the stage's network, optimiser and average, new or as saved."""
    network = _network(job, stage, position, saved=_below(tensors, "network/"))
    optimizer = stage.optimizer.build(network)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    average = None if stage.ema is None else Average(stage.ema, network)
    if tensors:
        load_optimizer(optimizer, _below(tensors, "optimizer/"), position.optimizer)
        if average is not None:
            average.load(_below(tensors, "average/"), position.averaged)
        torch.set_rng_state(tensors["random/torch"])
    network, optimizer = job.accelerator.prepare(network, optimizer)

    def save() -> None:
        nonlocal number
        number += 1
        parts, position.optimizer = optimizer_parts(optimizer)
        position.averaged = 0 if average is None else average.steps
        save_state(
            job.folder / "state",
            TrainState(
                position,
                {f"network/{k}": v for k, v in network.state_dict().items()}
                | {f"optimizer/{k}": v for k, v in parts.items()}
                | {f"average/{k}": v for k, v in (average.tensors if average else {}).items()}
                | {"random/torch": torch.get_rng_state()},
            ),
            number=number,
        )

    return Training(stage, network, optimizer, rates, average, position, save, save_seconds)


def _network(
    job: Job, stage: Stage, position: Position, *, saved: Mapping[str, Tensor]
) -> nn.Module:
    """Build the network: as saved, from an earlier stage's member, or from its own start."""
    recipe = job.recipe
    option = recipe.network
    if saved or stage.start is not None:
        option = option.model_copy(update={"weights": "none"})
    torch.manual_seed(int(rng(recipe.seed, "network", job.folder.name, stage.name).integers(2**31)))
    network = option.build(recipe.frame.inputs, job.task.outputs)
    if saved:
        network.load_state_dict(saved)
    elif stage.start is not None:
        kept = position.members[stage.start]
        network.load_state_dict(load_file(job.folder / stage.start / kept.file))
    return network.to(job.accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _next(position: Position) -> Position:
    fresh = Position()
    return replace(fresh, stage=position.stage + 1, rows=position.rows, members=position.members)


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
