"""How many pixels each class has: counted once, kept in the run folder, for weights of classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina import files
from lamina.data.case import Case
from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.model.losses import AnyLoss
from lamina.progress import Bar, say
from lamina.recipe.recipe import Recipe
from lamina.task import Task

CLASS_PIXELS = "class_pixels.json"
"""What a run folder keeps of the pixels of each class in each case."""


def weighed(
    recipe: Recipe, task: Task, cases: Sequence[Case], out: Path, title: str
) -> tuple[AnyLoss, ...]:
    """Return the losses with class weights from the training cases where the recipe says ``auto``.

    Args:
        recipe: Its losses.
        task: With the names of the classes.
        cases: The cases that a fold learns from.
        out: The run folder, where the counts of every case are kept.
        title: What messages call the fold.

    Raises:
        DataError: a target cannot be read, or no pixel of the cases counts.
    """
    if not any(loss.needs_class_pixels for loss in recipe.loss):
        return recipe.loss
    counts = np.sum(list(_counts(cases, task, out).values()), axis=0)
    if not counts[-1]:
        raise DataError("class_weights: auto, and no pixel of the training cases counts")
    found = tuple(loss.with_class_pixels(counts[:-1], counts[-1]) for loss in recipe.loss)
    for loss, before in zip(found, recipe.loss, strict=True):
        if loss != before:
            values = zip(task.names or (), getattr(loss, "class_weights", ()), strict=False)
            words = ", ".join(f"{name} {value:.4g}" for name, value in values)
            say(f"{title}: class weights of {loss.kind} by the training cases: {words}")
    return found


def _counts(cases: Sequence[Case], task: Task, out: Path) -> Mapping[str, NDArray[np.int64]]:
    """Return (K + 1,) pixels of each class and of all that count, by case; kept ones are taken."""
    kept = _kept(out)
    missing = [case for case in cases if case.id not in kept]
    if missing:
        with Bar("counting pixels of classes", len(missing)) as bar:
            for case in missing:
                kept[case.id] = [int(count) for count in class_pixels(case, task)]
                bar.advance()
        files.write_json(out / CLASS_PIXELS, {"data": data_digest(out), "pixels": kept})
    return {case.id: np.asarray(kept[case.id], np.int64) for case in cases}


def class_pixels(case: Case, task: Task) -> NDArray[np.int64]:
    """Return (K + 1,): the pixels of each class, then all pixels that count.

    Raises:
        DataError: the case has no target, or it cannot be read.
    """
    if case.target is None:
        raise DataError(f"case {case.id}: has no target, whose pixels class_weights: auto counts")
    counts = np.zeros(task.outputs + 1, np.int64)
    for region in pieces(case.target):
        stored = case.target.read(region)
        valid = np.ones(region.shape, np.bool_)
        if case.valid is not None:
            valid = case.valid.read(region)[0] != 0
        if task.exclusive:
            counts[:-1] += np.bincount(stored[0][valid].ravel(), minlength=task.outputs)
        else:
            counts[:-1] += [np.count_nonzero(channel[valid]) for channel in stored]
        counts[-1] += np.count_nonzero(valid)
    return counts


def _kept(out: Path) -> dict[str, Any]:
    """Return what is kept of these very data, by case."""
    path = out / CLASS_PIXELS
    if not path.is_file():
        return {}
    stored = files.read_json(path)
    return dict(stored["pixels"]) if stored.get("data") == data_digest(out) else {}


def data_digest(out: Path) -> str:
    """Return the digest of the images and labels of a run, as data.json says."""
    path = out / "data.json"
    rows = files.read_json(path)["cases"] if path.is_file() else []
    known = [[row["id"], row["sha256"], row.get("labels_sha256")] for row in rows]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
