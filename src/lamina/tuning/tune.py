"""The decision that scores best on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lamina import files
from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.errors import DataError, RecipeError
from lamina.prediction.aims import aim_of
from lamina.prediction.folder.predictions import HEADER, Predictions
from lamina.progress import Bar
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import AnyDecision, Threshold, Triplet
from lamina.result.search.result import Aim, Found
from lamina.result.search.threshold import Tables
from lamina.result.search.triplet.search import TripletTables
from lamina.training.dataset import open_data
from lamina.training.out_of_fold import OUT_OF_FOLD
from lamina.training.run import BUNDLE, TUNED
from lamina.tuning.table import result_of, table

__all__ = ["table", "tune"]

SINGLE = "single"
_KINDS: dict[str, AnyDecision] = {
    "threshold": Threshold(),
    SINGLE: Threshold(),
    "triplet": Triplet(),
}


def tune(run: Path, *, data: Path | None = None, decision: str | None = None) -> dict[str, Any]:
    """Search the recipe's decision on the run's out-of-fold predictions; write it to the bundle.

    The search is exact: all thresholds that make a difference and all minimum areas, in one pass
    over the maps. Where the recipe's ``min_component`` is above 0, all minimum parts are tried as
    well, at 255 thresholds. Predicting nothing is one of the choices. Classes are searched one by
    one, before ``overlap`` tells them apart. Of triplets all thresholds of a grid and all areas
    are tried, and which one is taken follows ``decide.search.choice``.

    Args:
        run: A run folder of ``lamina train``.
        data: Where the training data lie now; None: where they lay in training.
        decision: ``threshold``, ``single`` (a threshold alone, without areas, to compare others
            with) or ``triplet``, in place of the recipe's kind; None: the recipe's.

    Returns:
        The content of ``tune.json``: decision, metric, scores, and per class the numbers found.

    Raises:
        DataError: no fold has finished, or the data changed since.
        RecipeError: the recipe's decision has no numbers to tune, or the task or the metric does
            not suit a triplet.
    """
    if not (run / "data.json").is_file():
        raise DataError(f"{run}: no data.json; name a run folder that lamina train wrote")
    if not (run / BUNDLE).is_dir():
        raise DataError(
            f"{run}: its training has not finished; run the same `lamina train` again, it goes on "
            "where it stopped"
        )
    bundle = Bundle.load(run / BUNDLE)
    recipe = bundle.recipe
    decide = _wanted(recipe, decision)
    aim = aim_of(recipe.metric, outputs=recipe.task.outputs)
    root = data or Path(files.read_json(run / "data.json")["root"])
    tables = _tables(recipe, decide, aim)
    for case, predictions, fold in _held_out(run, recipe, root):
        target, valid = truth(case, recipe.task)
        tables.add(predictions.prob(case.id), target, valid=valid, fold=fold)
    if not len(tables):
        raise DataError(f"{run}: no fold has out-of-fold predictions; finish `lamina train` first")
    found = tables.best(aim)
    result = result_of(recipe, decide, found)
    if decision == SINGLE and isinstance(found, Found):
        plain, result["scores"]["tuned"] = found.single()
        result["decision"] = plain.model_dump(mode="json")
    files.write_json(run / TUNED, result)
    if isinstance(decide, Threshold | Triplet):
        chosen = type(decide).model_validate(result["decision"])
        bundle.with_decision(chosen, {"tune": result["scores"]}).save(run / BUNDLE)
    return result


def _wanted(recipe: Recipe, name: str | None) -> AnyDecision:
    """Return the recipe's decision, or one of another kind with its defaults."""
    if name is None or name == recipe.decide.kind:
        return recipe.decide
    if name not in _KINDS:
        raise RecipeError(f"--decision is '{name}'; it must be one of {', '.join(_KINDS)}")
    return _KINDS[name]


def _tables(recipe: Recipe, decide: AnyDecision, aim: Aim) -> Tables | TripletTables:
    task = recipe.task
    if not isinstance(decide, Triplet):
        parts = isinstance(decide, Threshold) and bool(np.any(np.asarray(decide.min_component)))
        return Tables(task.outputs, exclusive=task.exclusive, parts=parts)
    if task.exclusive:
        raise RecipeError(
            f"decide.kind is triplet, for classes that may be empty, and task.kind is {task.kind}; "
            "use argmax"
        )
    if aim.any_class:
        raise RecipeError(
            "metric.over lets any class count, and triplets are found class by class; set it to "
            "image_class or pooled, or tune with --decision threshold"
        )
    return TripletTables(task.outputs, decide)


def _held_out(run: Path, recipe: Recipe, root: Path) -> Iterator[tuple[Case, Predictions, int]]:
    opened = open_data(recipe, root)
    with Bar("out-of-fold cases", len(opened.cases)) as bar:
        for fold in opened.numbers:
            folder = run / f"fold{fold}" / OUT_OF_FOLD
            if not (folder / HEADER).is_file():
                continue
            predictions = Predictions.open(folder)
            done = set(predictions.ids)
            for case in recipe.asked(opened.held_out(fold)):
                if case.id not in done:
                    raise DataError(
                        f"{folder}: no prediction of case {case.id}; finish `lamina train`, or "
                        "give the data it trained on by --data"
                    )
                yield case, predictions, fold
                bar.advance()
