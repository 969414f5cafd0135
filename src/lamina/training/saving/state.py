"""Everything that resume needs, in one value, on disk without pickle.

A save is a folder of its own: tensors as safetensors, the rest as JSON, and ``index.json``
written last with the digests of both; a save without a sound index does not exist. The two
newest saves are kept, so that a damaged one costs one interval, not the run.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from lamina import files
from lamina.errors import BundleError, DataError
from lamina.progress import say
from lamina.refusals import reading
from lamina.training.saving.tensor_file import save_tensors

_KEPT_SAVES = 2
_PARTS = ("tensors.safetensors", "position.json")


@dataclass(frozen=True)
class Saving:
    """When the state of a training is saved, and what is left of it in the end."""

    minutes: float = 5.0
    """The longest time between two saves."""
    keep: bool = False
    """Whether a finished fold keeps its tensors, so that it can be trained for more epochs."""


@dataclass
class KeptCheckpoint:
    """A checkpoint that stays on disk: its score and epoch, and the file in its stage's folder."""

    score: float | None
    """The monitored value; None: nothing was held out."""
    epoch: int
    file: str
    sha256: str
    stage: str = ""
    """The stage that made it; empty in saves of a lamina that did not say: the present one."""


@dataclass
class Position:
    """Where training stands, in numbers that JSON can hold."""

    stage: int = 0
    epoch: int = 0
    """Epoch to go on with, counted from 0 within the stage."""
    batch: int = 0
    """Batch to go on with, within the epoch."""
    step: int = 0
    """Optimiser steps taken in the stage."""
    rows: int = 0
    """Lines of metrics.jsonl that are true; later ones belong to work that is done again."""
    history: list[float] = field(default_factory=list)
    """Monitored values of the stage, in order."""
    kept: list[KeptCheckpoint] = field(default_factory=list)
    """Checkpoints kept in the stage, best first; one may be carried in from an earlier stage."""
    stale: int = 0
    """Validations in a row without a better score."""
    rate: float = 0.0
    """Largest learning rate of the last step."""
    skipped: int = 0
    """Steps skipped in the stage because something was not finite."""
    sums: dict[str, float] = field(default_factory=dict)
    """Running sums of the epoch's losses."""
    stage_done: bool = False
    members: dict[str, list[KeptCheckpoint]] = field(default_factory=dict)
    """What each finished stage leaves, best first, by stage name."""
    optimizer: dict[str, Any] = field(default_factory=dict)
    """The numbers of the optimiser's state; its tensors are in ``TrainState.tensors``."""
    averaged: int = 0
    """Steps of the moving average."""
    limit: float | None = None
    """Seconds that the whole run may take, as the stage's time was settled; None: as it likes."""
    begun: float = 0.0
    """Seconds that the run had used when the stage's time was settled."""
    ends: float = 0.0
    """Seconds of the run at which the stage is to be over."""
    reserve: float = 0.0
    """Seconds before that kept free for the last validation."""
    limited: dict[str, int] = field(default_factory=dict)
    """Epochs of each stage that the time limit ended, by stage name."""
    scaler: dict[str, float] = field(default_factory=dict)
    """State of the scaler of gradients, with float16 alone; else empty."""

    @property
    def named(self) -> set[tuple[str, str]]:
        """Stage and file name of each checkpoint that it names."""
        left = (one for stage in self.members.values() for one in stage)
        return {(one.stage, one.file) for one in (*self.kept, *left)}

    def take(self, other: Position) -> None:
        """Become as another position is, such as that of the main process."""
        if other is not self:
            self.__dict__.update(vars(other))


@dataclass
class TrainState:
    """Position and tensors: network/…, optimizer/…, average/…; once also random/torch, which is not
    used any more, since every batch seeds torch's generator.
    """

    position: Position
    tensors: dict[str, Tensor]


def save_state(folder: Path, state: TrainState, *, number: int) -> None:
    """Write save ``number`` below ``folder``, then drop the saves before the last two."""
    target = folder / f"{number:08d}"
    shutil.rmtree(target, ignore_errors=True)  # a part of it, left by a crash
    digests = {
        "tensors.safetensors": save_tensors(target / "tensors.safetensors", state.tensors),
        "position.json": files.write_json(target / "position.json", asdict(state.position)),
    }
    files.fault("state.before_index")
    files.write_json(target / "index.json", digests)
    for old in sorted(_saves(folder))[:-_KEPT_SAVES]:
        shutil.rmtree(old)


def drop_tensors(folder: Path, position: Position, *, number: int) -> None:
    """Put ``position`` alone in place of the saves of a finished fold that hold tensors.

    It is saved as often as saves are kept, so that one of them may be damaged.

    Args:
        folder: The saves.
        position: Where the fold ended.
        number: That of the newest save.
    """
    empty = len(save({}))
    for _ in range(_KEPT_SAVES):
        if all((one / _PARTS[0]).stat().st_size <= empty for one in _saves(folder)):
            return
        number += 1
        save_state(folder, TrainState(position, {}), number=number)


def load_state(folder: Path) -> tuple[TrainState, int] | None:
    """Return the newest sound save and its number, or None where there is none.

    A damaged save is passed over with one line that names it (C05, C06).

    Raises:
        BundleError: there are saves, and every one is damaged.
    """
    damaged: list[str] = []
    for save_folder in sorted(_saves(folder), reverse=True):
        try:
            with reading(save_folder):
                state = _read(save_folder)
        except DataError as error:
            damaged.append(f"{save_folder.name} ({error})")
            continue
        if damaged:
            say(
                f"{folder}: skipped damaged checkpoints {'; '.join(damaged)}; resuming from "
                f"{save_folder.name}"
            )
        return state, int(save_folder.name)
    if damaged:
        raise BundleError(
            f"{folder}: every checkpoint is damaged: {'; '.join(damaged)}; delete the "
            "fold's folder to train it again"
        )
    return None


def _read(folder: Path) -> TrainState:
    for name, wanted in files.read_object(folder / "index.json", *_PARTS).items():
        path = files.safe_join(folder, name)
        if not path.is_file() or files.digest(path) != wanted:
            raise DataError(f"{name} does not match its digest")
    raw = files.read_json(folder / "position.json")
    raw["kept"] = [KeptCheckpoint(**one) for one in raw["kept"]]
    for name, left in raw["members"].items():
        each = left if isinstance(left, list) else [left]  # once a stage left one only
        raw["members"][name] = [KeptCheckpoint(**{"stage": name, **one}) for one in each]
    return TrainState(Position(**raw), load_file(folder / "tensors.safetensors"))


def _saves(folder: Path) -> list[Path]:
    # A save without its index was cut off while being written: it does not exist.
    if not folder.is_dir():
        return []
    return [p for p in folder.iterdir() if p.name.isdigit() and (p / "index.json").is_file()]


def optimizer_parts(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimiser's state into tensors by ``"parameter.key"`` and plain numbers."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, slots in optimizer.state_dict()["state"].items():
        for key, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            elif value is not None:
                numbers[f"{index}.{key}"] = value
    return tensors, numbers


def load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], numbers: dict[str, Any]
) -> None:
    """Give an optimiser of the same parameters the state that ``optimizer_parts`` took.

    Tensors take the memory layout of their parameter, without which fused steps are wrong.
    """
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    slots: dict[int, dict[str, Any]] = {}
    for name, value in {**numbers, **tensors}.items():
        index, _, key = name.partition(".")
        like = parameters[int(index)]
        if isinstance(value, Tensor) and value.shape == like.shape:
            value = torch.empty_like(like).copy_(value)
        slots.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
