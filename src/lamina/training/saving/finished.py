"""Stages that have ended: for want of a better score, and whether they can be trained further."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.errors import BundleError, RecipeError
from lamina.folders import fold_folders
from lamina.recipe.stage import Stage
from lamina.training.saving.state import Position, load_state


def out_of_patience(stage: Stage, position: Position) -> bool:
    """Return whether the stage ends here for want of a better score."""
    return stage.patience is not None and position.stale >= stage.patience


def refuse_longer(folder: Path, position: Position, stages: Sequence[Stage]) -> None:
    """Refuse to train a finished stage further whose tensors were dropped.

    Args:
        folder: Of the fold.
        position: Of a save without tensors.
        stages: Those of the recipe, as it is now.

    Raises:
        RecipeError: the stage that ended last asks for more epochs than it had.
    """
    if not position.stage_done or position.stage >= len(stages):
        return  # stages are gone; who trains says so
    stage = stages[position.stage]
    if position.epoch >= stage.epochs or out_of_patience(stage, position):
        return
    raise RecipeError(
        f"{folder}: stage {stage.name} finished after {position.epoch} epochs and its training "
        f"state was dropped, so it cannot be trained for {stage.epochs}; set stages.{stage.name} "
        f"back, or choose another --out, with --start {folder.parent} and stages.{stage.name}."
        "start=bundle to begin with its weights (--keep-state keeps the state)"
    )


def refuse_longer_folds(out: Path, stages: Sequence[Stage]) -> None:
    """Refuse stages that ask more epochs of folds which have finished and dropped their tensors.

    Raises:
        RecipeError: a fold has.
    """
    for folder in fold_folders(out):
        try:
            found = load_state(folder / "state")
        except BundleError:
            continue  # whoever trains the fold is told
        if found is not None and not found[0].tensors:
            refuse_longer(folder, found[0].position, stages)
