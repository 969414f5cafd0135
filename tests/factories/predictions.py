"""Prediction folders as ``lamina predict`` leaves them, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lamina
from lamina.prediction.folder.predictions import Info, PredictedCase, Predictions
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import AnyDecision


def predicted_case(id: str, shape: Sequence[int], **changes: Any) -> PredictedCase:
    """Return a case that one member answers, with some values changed."""
    values: dict[str, Any] = {
        "id": id,
        "source": id,
        "sha256": "1" * 64,
        "axes": "zyx"[-len(shape) :],
        "shape": tuple(shape),
        "members": ("fold0",),
        "known": "new",
    }
    return PredictedCase(**{**values, **changes})


def prediction_info(recipe: Recipe, *cases: PredictedCase, **changes: Any) -> Info:
    """Return how cases are predicted by a recipe, with some values changed."""
    values: dict[str, Any] = {
        "lamina": lamina.__version__,
        "recipe": recipe,
        "recipe_digest": recipe.digest(),
        "bundles": ("0" * 64,),
        "members": "all",
        "predict": recipe.predict,
        "tile": recipe.tile,
        "precision": "float32",
        "device": "cpu",
        "versions": {},
        "decision": recipe.decide,
        "cases": cases,
    }
    return Info(**{**values, **changes})


def write_predictions(
    folder: Path,
    recipe: Recipe,
    answers: Mapping[str, NDArray[Any]],
    *,
    finished: int | None = None,
    known: str = "new",
) -> Path:
    """Write answers (K, *S) by id, the first ``finished`` of them, and return the folder."""
    cases = [predicted_case(id, answer.shape[1:], known=known) for id, answer in answers.items()]
    predictions = Predictions.create(folder, prediction_info(recipe, *cases))
    for case in cases[:finished]:
        predictions.add(case.id, answers[case.id].astype(np.float32))
    return folder


def copied_predictions(
    run: Path, folder: Path, *, shift: int = 0, decision: AnyDecision | None = None
) -> Path:
    """Write what the folds of a run predicted as a folder of ``lamina predict``.

    Args:
        run: A run folder with held-out predictions.
        folder: The new folder.
        shift: Pixels by which each answer is moved to the right.
        decision: In place of the recipe's.
    """
    folds = [Predictions.open(path) for path in sorted(run.glob("fold*/oof"))]
    cases = [case for fold in folds for case in fold.info.cases]
    recipe = folds[0].info.recipe
    info = prediction_info(recipe, *cases, decision=decision or recipe.decide)
    made = Predictions.create(folder, info)
    for fold in folds:
        for id in fold.ids:
            made.add(id, np.roll(fold.prob(id), shift, axis=-1).astype(np.float32))
    return folder
