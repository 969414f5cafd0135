"""The decision that scores best on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lamina import files
from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.truth import truth
from lamina.errors import DataError
from lamina.predict.aims import aim_of
from lamina.predict.predictions import HEADER, Predictions
from lamina.progress import Bar
from lamina.recipe.recipe import Recipe
from lamina.result.found import Found
from lamina.result.search import Tables
from lamina.train.held_out import OUT_OF_FOLD
from lamina.train.opening import open_data
from lamina.train.stages import BUNDLE, TUNED


def tune(run: Path, *, data: Path | None = None) -> dict[str, Any]:
    """Search the recipe's decision on the run's out-of-fold predictions; write it to the bundle.

    The search is exact: all thresholds that make a difference and all minimum areas, in one pass
    over the maps. Where the recipe's ``min_component`` is above 0, all minimum parts are tried as
    well, at 255 thresholds. Predicting nothing is one of the choices. Classes are searched one by
    one, before ``overlap`` tells them apart.

    Args:
        run: A run folder of ``lamina train``.
        data: Where the training data lie now; None: where they lay in training.

    Returns:
        The content of ``tune.json``: decision, metric, scores, and per class the numbers found.

    Raises:
        DataError: no fold has finished, or the data changed since.
        RecipeError: the recipe's decision has no numbers to tune.
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
    aim = aim_of(recipe.metric, outputs=recipe.task.outputs)
    root = data or Path(files.read_json(run / "data.json")["root"])
    tables = Tables(
        recipe.task.outputs, exclusive=recipe.task.exclusive, parts=_drops_parts(recipe)
    )
    for case, predictions, fold in _held_out(run, recipe, root):
        target, valid = truth(case, recipe.task)
        tables.add(predictions.prob(case.id), target, valid=valid, fold=fold)
    if not len(tables):
        raise DataError(f"{run}: no fold has out-of-fold predictions; finish `lamina train` first")
    found = tables.best(aim)
    result = _result(recipe, found)
    files.write_json(run / TUNED, result)
    if recipe.decide.kind == "threshold":
        decision = found.decision(recipe.decide)
        bundle.with_decision(decision, {"tune": result["scores"]}).save(run / BUNDLE)
    return result


def _drops_parts(recipe: Recipe) -> bool:
    if recipe.decide.kind != "threshold":
        return False
    return bool(np.any(np.asarray(recipe.decide.min_component)))


def _held_out(run: Path, recipe: Recipe, root: Path) -> Iterator[tuple[Case, Predictions, int]]:
    opened = open_data(recipe, root)
    with Bar("out-of-fold cases", len(opened.cases)) as bar:
        for fold in opened.numbers:
            folder = run / f"fold{fold}" / OUT_OF_FOLD
            if not (folder / HEADER).is_file():
                continue
            predictions = Predictions.open(folder)
            done = set(predictions.ids)
            for case in opened.held_out(fold):
                if case.id not in done:
                    raise DataError(
                        f"{folder}: no prediction of case {case.id}; finish `lamina train`, or "
                        "give the data it trained on by --data"
                    )
                yield case, predictions, fold
                bar.advance()


def _result(recipe: Recipe, found: Found) -> dict[str, Any]:
    names = recipe.task.names or ()
    decision = recipe.decide
    if decision.kind == "threshold":
        decision = found.decision(decision)
    return {
        "metric": recipe.metric.title,
        "decision": decision.model_dump(mode="json"),
        "scores": {
            "tuned": found.score,
            "nested": found.cross,
            "at_half": found.default,
            "baseline_empty": found.empty,
            "foreground_dice": found.foreground.score,
            "foreground_threshold": found.foreground.threshold,
            "auc": found.foreground.auc,
        },
        "classes": {
            name: one.model_dump(mode="json")
            for name, one in zip(names, found.classes, strict=True)
        },
        "foreground": found.foreground.model_dump(mode="json"),
        "aim": found.aim.model_dump(mode="json"),
    }


def table(result: dict[str, Any]) -> str:
    """Return what ``tune`` found as a table for people."""
    scores = result["scores"]
    lines = [
        f"{result['metric']}: {scores['tuned']:.4f} tuned, {scores['at_half']:.4f} at 0.5, "
        f"{scores['baseline_empty']:.4f} when nothing is predicted"
    ]
    if scores["nested"] is not None:
        lines.append(f"each fold judged by numbers found on the others: {scores['nested']:.4f}")
    auc = scores["auc"]
    lines.append(
        f"any class, all pixels pooled: Dice {scores['foreground_dice']:.4f} at "
        f"{scores['foreground_threshold']:.3f}" + ("" if auc is None else f"; image AUC {auc:.4f}")
    )
    heads = ("threshold", "min area", "min part", "  score", "  empty", "   AUC")
    lines.append(" ".join([f"{'class':20}", *heads]))
    for name, one in result["classes"].items():
        auc = "-" if one["auc"] is None else f"{one['auc']:.3f}"
        lines.append(
            f"{name:20} {one['threshold']:9.4f} {one['min_area']:8d} "
            f"{one['min_component']:8d} {one['score']:7.4f} "
            f"{one['empty']:7.4f} {auc:>6}"
        )
    return "\n".join(lines)
