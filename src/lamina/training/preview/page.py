"""``lamina check --pictures``: samples as the network sees them, and figures of the data."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lamina
from lamina.data.case import Case
from lamina.data.network_input.sample import Sample
from lamina.data.targets.ground_truth import truth
from lamina.files import write_text
from lamina.pictures.palette import colour
from lamina.pictures.pixels import Pixels, enlarged, painted, shrunk, shrunk_mask, visible
from lamina.recipe.recipe import Recipe
from lamina.reporting.cards.panels import Panel, jpeg_uri
from lamina.reporting.figures.intensities import Spread, intensities
from lamina.reporting.page import template
from lamina.task import Task
from lamina.training.dataset import OpenedData, open_data
from lamina.training.stage.loading.samples import epoch_of
from lamina.volume import read_all

SAMPLES = 24
"""Samples that are drawn."""

_CASES = 64  # read for areas and intensities at most
_GROUPS = 20  # shown at most
_PIXELS = 100_000  # of a case, for its intensities
_SHARES = (1, 25, 50, 75, 99)
_SIDE = 260  # longest side of a picture


@dataclass(frozen=True)
class ClassArea:
    """How much of the cases that were read belongs to a class."""

    name: str
    share: float
    """Of all their pixels."""
    cases: int
    """Cases that show the class."""
    least: int
    """Pixels of the class in the case that shows least of it."""
    most: int


def write_preview(recipe: Recipe, root: Path, out: Path) -> Path:
    """Write one offline page on how the first fold of a recipe would see a data folder.

    It shows samples of the first epoch with their augmentation, as the network gets them; areas of
    classes, values by group, and folds.

    Args:
        recipe: As loaded.
        root: The data folder.
        out: The page.

    Raises:
        LaminaError: the data cannot be opened or read.
    """
    with tempfile.TemporaryDirectory(prefix="lamina-preview-") as folder:
        opened = open_data(recipe, root).prepared(Path(folder))
        fold = opened.numbers[0]
        samples = _samples(opened, fold)
        shown = [one for one in opened.cases if one.target is not None]
        read = _spaced(shown, _CASES)
        text = template("preview.html").render(
            recipe=opened.recipe,
            root=str(root),
            version=lamina.__version__,
            panels=[_panel(one, number, opened.task) for number, one in samples],
            colours=_colours(opened.task),
            areas=_areas(read, opened.task),
            read=len(read),
            cases=len(opened.cases),
            plot=intensities(_spreads(read)),
            folds=_folds(opened),
            notes=[*opened.notes, *opened.warnings()],
        )
    write_text(out, text)
    return out


def _samples(opened: OpenedData, fold: int) -> list[tuple[int, Sample]]:
    recipe = opened.recipe
    training = opened.training(fold)
    epoch = epoch_of(
        recipe,
        opened.task,
        recipe.frame.cases(training),
        recipe.frame.fit(training),
        recipe.stages[0],
        0,
    )
    return [(number, epoch[number]) for number in _spaced(range(len(epoch)), SAMPLES)]


def _spaced(of: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many, spread evenly."""
    if len(of) <= most:
        return list(of)
    return [of[number] for number in np.linspace(0, len(of) - 1, most).astype(int)]


def _panel(sample: Sample, number: int, task: Task) -> Panel:
    image, target, valid = sample.image, sample.target, sample.valid
    words = f"sample {number}"
    if image.ndim == 4:  # of a block, the slice that shows most
        counts = target[int(task.exclusive) :].sum(axis=(0, 2, 3))
        at = int(counts.argmax()) if counts.any() else image.shape[1] // 2
        image, target, valid = image[:, at], target[:, at], valid[:, at]
        words += f", slice {at} of {sample.image.shape[1]}"
    picture = _sized(visible(image))
    if task.kind == "restore":
        both = np.concatenate([picture, _sized(visible(target))], axis=1)
        return Panel(f"{words}: input, target", jpeg_uri(both))
    size = picture.shape[:2]
    first = int(task.exclusive)
    masks = [_mask(one > 0.5, size) for one in target[first:]]
    picture = painted(picture, masks, [colour(k) for k in range(len(masks))], fill=0.3)
    if not (valid > 0).all():
        out = ~_mask(valid[0] > 0, size)
        picture[out] = picture[out] // 3
    there = [
        name for name, mask in zip((task.names or ())[first:], masks, strict=False) if mask.any()
    ]
    return Panel(f"{words}: {', '.join(there) or 'no class'}", jpeg_uri(picture))


def _sized(picture: Pixels) -> Pixels:
    times = max(_SIDE // max(picture.shape[:2]), 1)
    return enlarged(picture, times) if times > 1 else shrunk(picture, _SIDE)


def _mask(mask: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    times = size[0] // mask.shape[0]
    return enlarged(mask, times) if times > 1 else shrunk_mask(mask, size)


def _colours(task: Task) -> dict[str, str]:
    if task.kind == "restore":
        return {}
    names = (task.names or ())[int(task.exclusive) :]
    return {name: colour(k) for k, name in enumerate(names)}


def _areas(cases: Sequence[Case], task: Task) -> list[ClassArea]:
    """Return the areas of each class in these cases; none of values."""
    if task.kind == "restore" or not cases:
        return []
    counted, pixels = [], 0
    for case in cases:
        target, valid = truth(case, task)
        target = target if valid is None else target & valid
        counted.append(target.reshape(len(target), -1).sum(axis=1))
        pixels += target[0].size if valid is None else int(valid.sum())
    table = np.array(counted)
    return [
        ClassArea(
            name,
            float(table[:, k].sum() / max(pixels, 1)),
            int((table[:, k] > 0).sum()),
            int(table[table[:, k] > 0, k].min(initial=table[:, k].max())),
            int(table[:, k].max()),
        )
        for k, name in enumerate(task.names or ())
    ]


def _spreads(cases: Sequence[Case]) -> list[Spread]:
    """Return quantiles of the values of each group, of all channels together."""
    values: dict[str, list[NDArray[Any]]] = {}
    for case in cases:
        flat = read_all(case.image).reshape(-1)
        values.setdefault(case.group, []).append(flat[:: max(1, flat.size // _PIXELS)])
    return [
        Spread(group, tuple(float(q) for q in np.percentile(np.concatenate(parts), _SHARES)))
        for group, parts in list(values.items())[:_GROUPS]
    ]


def _folds(opened: OpenedData) -> list[tuple[str, int, int]]:
    """Return of each fold its name, cases and groups."""
    cases = Counter(opened.folds)
    groups: dict[int, set[str]] = {}
    for case, fold in zip(opened.cases, opened.folds, strict=True):
        groups.setdefault(fold, set()).add(case.group)
    return [
        ("always in training" if fold < 0 else str(fold), count, len(groups[fold]))
        for fold, count in sorted(cases.items())
    ]
