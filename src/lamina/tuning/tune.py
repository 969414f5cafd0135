"""The decision that is expected to score best on new groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina import files
from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.index.index import DataIndex
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
from lamina.result.calibration import IDENTITY, Calibration, Method
from lamina.result.calibration import calibrate as calibrate_class
from lamina.result.decisions import AnyDecision, Argmax, Threshold, Triplet
from lamina.result.expected.column import Column
from lamina.result.reliability import cross_fitted, reliability
from lamina.result.search.result import Found
from lamina.result.search.threshold import Tables
from lamina.result.search.triplet.result import TripletFound
from lamina.result.search.triplet.search import TripletTables
from lamina.result.selection.candidates.counted import MaskCounts
from lamina.task import Aim, Task
from lamina.training.dataset import index_of, open_data
from lamina.tuning.candidates import SINGLE, WORDS, candidates_of
from lamina.tuning.figures import Judged, figures
from lamina.tuning.selection import choose
from lamina.tuning.table import ClassReliability, TuneResult, result_of, table

__all__ = ["TuneResult", "table", "tune"]

Held = tuple[Case, Predictions, int]
"""A held-out case, the predictions that hold it, and its fold."""


@verb
def tune(
    run: StrPath,
    *,
    data: StrPath | None = None,
    decision: str | None = None,
    calibrate: str | None = None,
    index: StrPath | None = None,
    verify_data: bool = False,
) -> TuneResult:
    """Choose the decision that is expected to score best on new groups; write it to the bundle.

    Candidates are a threshold of 0.5 or predicting nothing (the default), the same by class, the
    highest expected score by image under calibrated probabilities, the exact search for thresholds
    and minimum areas, and triplets where the recipe has them. Each is judged on groups of cases
    that had no part in it: groups are dealt to five parts, three times, and everything is refitted
    without each part. The default is left only where the gain, paired over groups, is above its
    standard error times Student's t at 0.95.

    The searches are exact: all thresholds that make a difference and all minimum areas, in one
    pass over the maps. Where the recipe's ``min_component`` is above 0, all minimum parts are
    tried as well, at 255 thresholds. Classes are searched one by one, before ``overlap`` tells
    them apart. Of triplets all thresholds of a grid and all areas are tried, and which one is
    taken follows ``decide.search.choice``.

    What is judged is said by the metric (``Metric.aim``); the metric itself of the decision kept
    is told as well, in a second pass over the maps.

    Args:
        run: A run folder of ``lamina train``.
        data: Where the training data lie now; None: where they lay in training.
        decision: Keep ``default``, ``expected``, ``threshold``, ``single`` (a threshold alone,
            without areas) or ``triplet``, whatever it is expected to score; None: the choice.
        calibrate: ``none``, ``platt`` or ``isotonic``, in place of the recipe's; the curves go
            into the bundle, and are applied to each member's probabilities from then on.
        index: File of what is known of the files of the data; None: ``index.jsonl`` in ``run``.
        verify_data: Read all files of the data again, whatever their size and time say.

    Returns:
        Decision, metric, scores, the choice, and per class the numbers found: the content of
        ``tune.json``.

    Raises:
        DataError: no fold has finished, or the data changed since.
        RecipeError: the recipe's decision has no numbers to tune, no decision changes its metric,
            or the task or the metric does not suit the decision asked for.

    Example:
        >>> result = tune("run")
        >>> result.selection.groups, result.selection.coverage
        (8, 'too few groups for an interval')
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
    place = None if index is None else as_path(index, "index")
    cases = _held_out(run, recipe, root, index_of(recipe, run, place, verify=verify_data))
    if not cases:
        raise DataError(f"{run}: no fold has out-of-fold predictions; finish `lamina train` first")
    method = _method(recipe, bundle, calibrate)
    with keep_log(run):
        tables, triplets, most_probable = _counted(cases, recipe, decide, aim, (), run)
    groups = _groups(cases)
    curves = _curves(tables, groups, method)
    reliable = _reliable(recipe, tables, groups, method)
    compare = partial(candidates_of, recipe, aim, groups, forced=decision)
    # what is divided by its sum over exclusive classes keeps no order: it is calibrated once
    once = bool(curves) and recipe.task.exclusive
    inner: Method = "platt" if method == "none" else method
    judged = compare(tables, triplets, most_probable, ("none", "none") if once else (inner, method))
    final = judged
    if curves:
        with keep_log(run):
            tables, triplets, most_probable = _counted(cases, recipe, decide, aim, curves, run)
        final = compare(tables, triplets, most_probable, ("none", "none"))
        judged = final if once else judged
    _can(judged.names, decision)
    found = (tables if triplets is None else triplets).best(aim)
    searched = tables.best(aim) if isinstance(found, TripletFound) else found
    del tables, triplets  # the choice needs few bins of them
    number, selection = choose(
        judged, final, decision, _notes(recipe, searched, judged.scarce(), curves)
    )
    name = selection.chosen
    by_fold: dict[int, Threshold | Triplet] = {}
    chosen: AnyDecision
    if name in ("triplet", "threshold", SINGLE):
        source = found if name == "triplet" else searched
        chosen = _decided(source, decide, name)
        folds = sorted({fold for _, _, fold in cases})
        several = folds if len(folds) > 1 else []
        by_fold = {fold: _decided(source, decide, name, fold) for fold in several}
    else:
        chosen = final.decision(number)
    told = figures(
        recipe.metric,
        recipe.task,
        chosen,
        by_fold,
        _read(cases, recipe.task, "scoring what was found", curves),
    )
    shown = found if isinstance(chosen, Triplet) else searched
    result = result_of(recipe, chosen, shown, told, selection, curves, reliable)
    files.write_json(run / TUNED, result.to_dict())
    if not bundle.index.sources:
        bundle = bundle.with_calibration(curves)
    bundle.with_decision(chosen, {"tune": dict(result.scores)}, final.outlook()).save(run / BUNDLE)
    return result


def _wanted(recipe: Recipe, name: str | None) -> Threshold | Triplet:
    """Return where a search starts: the recipe's decision, or one with its defaults."""
    if recipe.task.kind == "restore":
        raise RecipeError("task.kind is 'restore', whose values are the result; leave tune out")
    own = recipe.decide
    most_probable = isinstance(own, Argmax) and recipe.task.exclusive
    if name is None and own.without_numbers is not None and not most_probable:
        raise RecipeError(
            f"the recipe's decision {own.kind} {own.without_numbers}, and has no number to tune; "
            "leave tune out, predict and score use it as it is"
        )
    if name is not None and name not in WORDS:
        raise RecipeError(f"--decision is '{name}'; it must be one of {', '.join(WORDS)}")
    if name == "triplet":
        return own if isinstance(own, Triplet) else Triplet()
    if name is None and isinstance(own, Threshold | Triplet):
        return own
    return own if isinstance(own, Threshold) and name != SINGLE else Threshold()


def _method(recipe: Recipe, bundle: Bundle, word: str | None) -> Method:
    """Return how members are calibrated; those of an ensemble are so by their own runs."""
    known: dict[str, Method] = {"none": "none", "platt": "platt", "isotonic": "isotonic"}
    if word is not None and word not in known:
        raise RecipeError(f"--calibrate is '{word}'; it must be one of {', '.join(known)}")
    if not bundle.index.sources:
        return recipe.calibrate if word is None else known[word]
    if word not in (None, "none"):
        raise RecipeError(
            f"--calibrate is {word}, and an ensemble takes its members as their runs calibrated "
            "them; tune those runs with it, then combine them again"
        )
    return "none"


def _curves(tables: Tables, groups: NDArray[np.int64], method: Method) -> tuple[Calibration, ...]:
    """Return the curve of each class; none where no curve helps on groups left out."""
    if method == "none":
        return ()
    columns = [Column.of(counts) for counts in tables.thinned()[:-1]]
    curves = tuple(calibrate_class(column, groups, method) for column in columns)
    return () if all(curve.is_identity for curve in curves) else curves


def _reliable(
    recipe: Recipe, tables: Tables, groups: NDArray[np.int64], method: Method
) -> dict[str, ClassReliability]:
    """Return reliability diagrams before and after calibration, by Platt where none is asked."""
    names, thinned, found = recipe.task.names or (), tables.thinned(), {}
    for k in range(recipe.metric.first, len(names)):
        column = Column.of(thinned[k])
        found[names[k]] = ClassReliability(
            before=reliability([(column, IDENTITY)]),
            after=cross_fitted(column, groups, "platt" if method == "none" else method),
        )
    return found


def _counted(
    cases: Sequence[Held],
    recipe: Recipe,
    decide: Threshold | Triplet,
    aim: Aim,
    curves: tuple[Calibration, ...],
    folder: Path,
) -> tuple[Tables, TripletTables | None, NDArray[np.int64] | None]:
    """Return the tables of all maps, read through ``curves``, and where the recipe decides by the
    most probable class its counts; what exceeds a little memory is kept in ``folder``.
    """
    tables, triplets = _tables(recipe, decide, aim, folder)
    most_probable = MaskCounts() if isinstance(recipe.decide, Argmax) else None
    said = "calibrated out-of-fold cases" if curves else "out-of-fold cases"
    for prob, target, valid, fold in _read(cases, recipe.task, said, curves):
        tables.add(prob, target, valid=valid, fold=fold)
        if triplets is not None:
            triplets.add(prob, target, valid=valid, fold=fold)
        if most_probable is not None:
            most_probable.add(recipe.decide(prob), target, valid)
    return tables, triplets, None if most_probable is None else most_probable.table()


def _can(names: Sequence[str], decision: str | None) -> None:
    """Refuse a decision that is no candidate."""
    if decision is not None and decision not in names:
        raise RecipeError(
            f"--decision {decision} suits neither this task nor this metric; name one of "
            f"{', '.join(names)}"
        )


def _notes(
    recipe: Recipe, found: Found, scarce: Sequence[int], curves: tuple[Calibration, ...]
) -> tuple[str, ...]:
    """Return what a person should know of classes: too few to fit, or maps without a rank."""
    names = recipe.task.names or ()
    notes = [
        f"{names[k]}: shown by {found.classes[k].present} of {found.classes[k].cases} cases, in "
        "fewer than 3 groups: too few to fit an expected score; it keeps the default there"
        for k in scarce
    ]
    if found.aim.any_class:
        notes.append("the metric merges classes: the highest expected score is no candidate")
    if recipe.task.exclusive and len(names) > 2:
        notes.append(
            "classes exclude each other: scores on new groups are of each class by itself, before "
            "a pixel is given to one of them"
        )
    for name, curve in zip(names, curves, strict=False):
        notes.append(f"{name}: probabilities calibrated: {curve.summary}")
    for k in range(recipe.metric.first, len(names)):
        auc = found.classes[k].auc
        if auc is not None and auc < 0.5:
            notes.append(
                f"{names[k]}: image AUC {auc:.2f}: its probabilities rank images no better than "
                "chance"
            )
    return tuple(notes)


def _groups(cases: Sequence[Held]) -> NDArray[np.int64]:
    """Return the group of each case as a number."""
    _, place = np.unique([case.group for case, _, _ in cases], return_inverse=True)
    return np.asarray(place, np.int64).reshape(-1)


def _decided(
    found: Found | TripletFound,
    decide: Threshold | Triplet,
    name: str,
    fold: int | None = None,
) -> Threshold | Triplet:
    """Return the decision with the numbers found; ``fold``: without the cases of that fold."""
    if isinstance(found, TripletFound):
        return found.decision(decide if isinstance(decide, Triplet) else None, fold)
    if name == SINGLE:
        return found.single(fold)
    return found.decision(decide if isinstance(decide, Threshold) else None, fold)


def _tables(
    recipe: Recipe, decide: Threshold | Triplet, aim: Aim, folder: Path
) -> tuple[Tables, TripletTables | None]:
    task = recipe.task
    parts = isinstance(decide, Threshold) and bool(np.any(np.asarray(decide.min_component)))
    tables = Tables(task.outputs, exclusive=task.exclusive, parts=parts, folder=folder)
    if isinstance(decide, Threshold):
        return tables, None
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
    return tables, TripletTables(task.outputs, decide)


def _held_out(run: Path, recipe: Recipe, root: Path, index: DataIndex) -> list[Held]:
    opened, found = open_data(recipe, root, index), list[Held]()
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
            found.append((case, predictions, fold))
    return found


def _read(
    cases: Sequence[Held], task: Task, what: str, curves: Sequence[Calibration] = ()
) -> Iterator[Judged]:
    read: dict[int, Predictions] = {}  # opened once for each fold, whose cases they know by id
    with Bar(what, len(cases)) as bar:
        for case, predictions, fold in cases:
            if fold not in read:
                read[fold] = predictions.with_calibration(curves)
            target, valid = truth(case, task)
            yield read[fold].prob(case.id), target, valid, fold
            bar.advance()
