"""What a fold is trained with, and what changes while one of its stages is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from lamina.data.case import Case
from lamina.data.index.known_digests import KnownDigests
from lamina.data.network_input.normalise import AnyNormalise
from lamina.errors import RecipeError
from lamina.model.losses import AnyLoss
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.task import Task
from lamina.training.devices.ranks import ALONE, Ranks
from lamina.training.saving.state import Position
from lamina.training.sources.initial_weights import Origin
from lamina.training.sources.pseudo_labels import PseudoLabelCases
from lamina.training.stage.ema import Average
from lamina.training.stage.loading.loader import BatchLoader
from lamina.training.stage.loading.samples import StageData
from lamina.training.stage.signals import Stop
from lamina.training.stage.steps.compiled import CompiledNetwork
from lamina.training.stage.steps.totals import StepTotals
from lamina.training.stage.time_limit import Clock, StageTime


@dataclass(frozen=True, kw_only=True)
class FoldData:
    """What one fold is trained with, whichever process trains it; it can be sent to another."""

    recipe: Recipe
    task: Task
    folder: Path
    title: str
    cases: Sequence[Case]
    """Training cases as the network sees them: of two axes, or whole volumes."""
    held_out: Sequence[Case]
    """Whole cases that validate."""
    normalise: AnyNormalise
    made: PseudoLabelCases = field(default_factory=PseudoLabelCases)
    """Cases with made labels that stages may mix in."""
    origin: Origin | None = None
    """The member of a bundle that stages may start from."""
    losses: Sequence[AnyLoss] = ()
    """The losses with the class weights of the fold; none: the recipe's."""
    digests: KnownDigests = field(default_factory=KnownDigests)
    """Digests of the files of held-out cases, as they were when the run began."""
    folds_left: int = 1
    """Folds that this process is still to train, this one included."""


@dataclass(frozen=True, kw_only=True)
class FoldContext(FoldData):
    """What stays the same while one fold is trained, in this process."""

    accelerator: Accelerator
    precision: torch.dtype | None
    workers: int
    stop: Stop
    track: Callable[[dict[str, float], int], None]
    """Hands one row of numbers to the trackers."""
    clock: Clock | None = None
    """The time that the run has used and may use."""
    ranks: Ranks = ALONE
    """The processes that share its steps."""

    @classmethod
    def of(cls, data: FoldData, **process: Any) -> FoldContext:
        """Return the context of a fold in a process with the values that only it has."""
        own = {one.name: getattr(data, one.name) for one in fields(FoldData)}
        return cls(**own, **process)

    def at(self, stage: Stage) -> FoldContext:
        """Return the job as it is in a stage: its resolution, and the parts it learns from.

        Raises:
            RecipeError: no training case belongs to the stage's parts.
        """
        cases = stage.learns(self.cases)
        if not cases:
            known = sorted({case.part for case in self.cases})
            raise RecipeError(
                f"stage {stage.name}: no training case is of {' or '.join(stage.parts or ())}; "
                f"stages.{stage.name}.parts may name {', '.join(known)}"
            )
        return replace(self, recipe=self.recipe.at(stage.name), cases=cases)


@dataclass
class StageState:
    """What changes while one stage is trained."""

    stage: Stage
    network: nn.Module
    optimizer: torch.optim.Optimizer
    rates: list[float]
    """Learning rate of each parameter group before the schedule."""
    average: Average | None
    position: Position
    save: Callable[[], None]
    """Writes the state to disk."""
    save_seconds: float
    saved: float = field(default_factory=time.monotonic)
    """When the state was saved last, by ``time.monotonic()``; at first when the stage began."""
    named: set[tuple[str, str]] = field(default_factory=set)
    """``Position.named`` of the newest save."""
    totals: StepTotals = field(default_factory=StepTotals)
    """What the steps came to that the host has not looked at."""
    learning: list[bool] | None = None
    """Of each weight that may learn, whether it has a gradient on any rank; None: to be found."""
    names: list[str] = field(default_factory=list)
    """Losses of a step, as all ranks call them."""
    agreed: float = 0.0
    """Share of the stage's time that is used, as all ranks know it."""
    time: StageTime | None = None
    """The time that the stage may take; None: as long as its epochs do."""
    loader: BatchLoader | None = None
    """Makes its batches; None: none was asked for yet."""
    compiled: CompiledNetwork | None = None
    """The network compiled for full batches; None: not asked for."""
    data: StageData | None = None
    """What its samples are drawn from; None: not looked at yet."""
    why: str = ""
    """What was not finite at the last step that was left out."""

    @property
    def due(self) -> bool:
        """Whether the last save is longer ago than saves may lie apart."""
        return time.monotonic() - self.saved > self.save_seconds
