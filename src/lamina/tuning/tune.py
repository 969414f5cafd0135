"""The decision that scores best on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lamina import files
from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.errors import DataError, RecipeError
from lamina.folders import BUNDLE, OUT_OF_FOLD, TUNED, check_finished
from lamina.log import keep_log
from lamina.prediction.folder.manifest import check_place
from lamina.prediction.folder.predictions import HEADER, Predictions
from lamina.progress import Bar
from lamina.public import StrPath, as_path
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.result.decisions import Threshold, Triplet
from lamina.result.search.result import Found
from lamina.result.search.threshold import Tables
from lamina.result.search.triplet.result import TripletFound
from lamina.result.search.triplet.search import TripletTables
from lamina.task import Aim, Task
from lamina.training.dataset import open_data
from lamina.tuning.figures import Judged, figures
from lamina.tuning.table import TuneResult, result_of, table

__all__ = ["TuneResult", "table", "tune"]

SINGLE = "single"

Held = tuple[Case, Predictions, int]
"""A held-out case, the predictions that hold it, and its fold."""


@verb
def tune(run: StrPath, *, data: StrPath | None = None, decision: str | None = None) -> TuneResult:
    """Search the recipe's decision on the run's out-of-fold predictions; write it to the bundle.

    The search is exact: all thresholds that make a difference and all minimum areas, in one pass
    over the maps. Where the recipe's ``min_component`` is above 0, all minimum parts are tried as
    well, at 255 thresholds. Predicting nothing is one of the choices. Classes are searched one by
    one, before ``overlap`` tells them apart. Of triplets all thresholds of a grid and all areas
    are tried, and which one is taken follows ``decide.search.choice``.

    What is searched for is said by the metric (``Metric.aim``); what is told is the metric itself
    of the decisions found, in a second pass over the maps.

    Args:
        run: A run folder of ``lamina train``.
        data: Where the training data lie now; None: where they lay in training.
        decision: ``threshold``, ``single`` (a threshold alone, without areas, to compare others
            with) or ``triplet``, in place of the recipe's kind; None: the recipe's.

    Returns:
        Decision, metric, scores, and per class the numbers found: the content of ``tune.json``.

    Raises:
        DataError: no fold has finished, or the data changed since.
        RecipeError: the recipe's decision has no numbers to tune, no decision changes its metric,
            or the task or the metric does not suit a triplet.

    Example:
        >>> result = tune("run")
        >>> result.decision.kind, result.scores["tuned"] >= result.scores["baseline_empty"]
        ('threshold', True)
    """
    run = as_path(run, "run")
    check_finished(run)
    bundle = Bundle.load(run / BUNDLE)
    recipe = bundle.recipe
    decide = _wanted(recipe, decision)
    aim = recipe.metric.aim(recipe.task.outputs)
    if not (run / "data.json").is_file():  # an ensemble of bundles alone
        raise DataError(f"{run}: no out-of-fold predictions; combine run folders, not bundles")
    known = files.read_object(run / "data.json", "root", "cases")
    if all(row["fold"] < 0 for row in known["cases"]):
        raise DataError(
            f"{run}: nothing was held out, so there are no out-of-fold predictions to tune on; "
            "tune a run of the same recipe with split.count=2 or more, and set decide to what it "
            "finds"
        )
    root = as_path(known["root"] if data is None else data, "data")
    cases = list(_held_out(run, recipe, root))
    if not cases:
        raise DataError(f"{run}: no fold has out-of-fold predictions; finish `lamina train` first")
    tables = _tables(recipe, decide, aim)
    with keep_log(run):
        for prob, target, valid, fold in _read(cases, recipe.task, "out-of-fold cases"):
            tables.add(prob, target, valid=valid, fold=fold)
    found = tables.best(aim)
    folds = sorted({fold for _, _, fold in cases})
    chosen = _decided(found, decide, decision)
    several = folds if len(folds) > 1 else []
    by_fold = {fold: _decided(found, decide, decision, fold) for fold in several}
    told = figures(
        recipe.metric,
        recipe.task,
        chosen,
        by_fold,
        _read(cases, recipe.task, "scoring what was found"),
    )
    result = result_of(recipe, chosen, found, told)
    files.write_json(run / TUNED, result.to_dict())
    bundle.with_decision(chosen, {"tune": dict(result.scores)}).save(run / BUNDLE)
    return result


def _wanted(recipe: Recipe, name: str | None) -> Threshold | Triplet:
    """Return the recipe's decision, or one of another kind with its defaults."""
    if recipe.task.kind == "restore":
        raise RecipeError("task.kind is 'restore', whose values are the result; leave tune out")
    known: dict[str, Threshold | Triplet] = {
        "threshold": Threshold(),
        SINGLE: Threshold(),
        "triplet": Triplet(),
    }
    own = recipe.decide
    if name is None or name == own.kind:
        if isinstance(own, Threshold | Triplet):
            return own
        raise RecipeError(
            f"the recipe's decision {own.kind} {own.without_numbers}, and has no number to tune; "
            "leave tune out, predict and score use it as it is"
        )
    if name not in known:
        raise RecipeError(f"--decision is '{name}'; it must be one of {', '.join(known)}")
    return known[name]


def _decided(
    found: Found | TripletFound,
    decide: Threshold | Triplet,
    name: str | None,
    fold: int | None = None,
) -> Threshold | Triplet:
    """Return the decision with the numbers found; ``fold``: without the cases of that fold."""
    if isinstance(found, TripletFound):
        return found.decision(decide if isinstance(decide, Triplet) else None, fold)
    if name == SINGLE:
        return found.single(fold)
    return found.decision(decide if isinstance(decide, Threshold) else None, fold)


def _tables(recipe: Recipe, decide: Threshold | Triplet, aim: Aim) -> Tables | TripletTables:
    task = recipe.task
    if isinstance(decide, Threshold):
        parts = bool(np.any(np.asarray(decide.min_component)))
        return Tables(task.outputs, exclusive=task.exclusive, parts=parts)
    if task.exclusive:
        raise RecipeError(
            f"decide.kind is triplet, for classes that may be empty, and task.kind is {task.kind}; "
            "use argmax"
        )
    if aim.any_class:
        raise RecipeError(
            "metric.over merges the classes, and triplets are found class by class; set it to "
            "image_class or pooled, or tune with --decision threshold"
        )
    return TripletTables(task.outputs, decide)


def _held_out(run: Path, recipe: Recipe, root: Path) -> Iterator[Held]:
    opened = open_data(recipe, root)
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
            check_place(predictions.case(case.id), case.image)
            yield case, predictions, fold


def _read(cases: Sequence[Held], task: Task, what: str) -> Iterator[Judged]:
    with Bar(what, len(cases)) as bar:
        for case, predictions, fold in cases:
            target, valid = truth(case, task)
            yield predictions.prob(case.id), target, valid, fold
            bar.advance()
