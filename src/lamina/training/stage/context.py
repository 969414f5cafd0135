"""What a fold is trained with, and what changes while one of its stages is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from lamina.data.case import Case
from lamina.data.network_input.normalise import AnyNormalise
from lamina.errors import RecipeError
from lamina.model.losses import AnyLoss
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.task import Task
from lamina.training.saving.state import Position
from lamina.training.sources.initial_weights import Origin
from lamina.training.sources.pseudo_labels import PseudoLabelCases
from lamina.training.stage.ema import Average
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock, StageTime


@dataclass(frozen=True)
class FoldContext:
    """What stays the same while one fold is trained."""

    recipe: Recipe
    task: Task
    folder: Path
    title: str
    cases: Sequence[Case]
    """Two-axis training cases."""
    held_out: Sequence[Case]
    """Whole cases that validate."""
    normalise: AnyNormalise
    accelerator: Accelerator
    precision: torch.dtype | None
    workers: int
    stop: Stop
    track: Callable[[dict[str, float], int], None]
    """Hands one row of numbers to the trackers."""
    made: PseudoLabelCases = field(default_factory=PseudoLabelCases)
    """Cases with made labels that stages may mix in."""
    origin: Origin | None = None
    """The member of a bundle that stages may start from."""
    losses: Sequence[AnyLoss] = ()
    """The losses with the class weights of the fold; none: the recipe's."""
    clock: Clock | None = None
    """The time that the run has used and may use."""
    folds_left: int = 1
    """Folds that are still to be trained, this one included."""

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
    bad_run: int = 0
    time: StageTime | None = None
    """The time that the stage may take; None: as long as its epochs do."""
    workers: int | None = None
    """Loader processes after one was killed; None: as many as the job says."""
    why: str = ""
    """What was not finite at the last step that was left out."""
