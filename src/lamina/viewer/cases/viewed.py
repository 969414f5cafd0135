"""A case with its score and its histograms, counted slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.ground_truth import nothing, truth
from lamina.geometry.region import Region
from lamina.result.decisions import AnyDecision, Threshold
from lamina.result.search.histogram import Areas, Counts, count, merged
from lamina.viewer.sources.contents import Contents, FoundCase

UNSURE = (0.1, 0.9)
"""Probabilities strictly between these are uncertain, as for pseudo-labels by default."""

Slab = tuple[Region, NDArray[Any]]
Masks = Callable[[NDArray[Any]], NDArray[np.bool_]]


@dataclass(frozen=True)
class ViewedCase:
    """A case as lists and sliders need it; without a truth it has no score."""

    found: FoundCase
    counts: tuple[Counts, ...]
    """Histogram of each class; none: values of restore."""
    value: float | None
    """The metric of this case alone."""
    tally: NDArray[np.float64] | None
    empty: NDArray[np.float64] | None
    """The metric's tally were nothing predicted; None: no truth, or values of restore."""
    pixels: tuple[float, float, float]
    """Pixels of any class that are right, predicted, and true; zeros for values."""
    unsure: float
    """Largest share of uncertain pixels of a class, relative to the case."""
    expected: float | None
    """Score expected of the case; None: not tuned."""

    @property
    def wrong(self) -> float:
        """Pixels that are predicted and not true, or true and not predicted, as any class."""
        right, predicted, true = self.pixels
        return predicted + true - 2 * right

    @property
    def id(self) -> str:
        """Of the prediction."""
        return self.found.case.id


def viewed(found: FoundCase, contents: Contents) -> ViewedCase:
    """Score one case by the decision of its folder.

    No more than a slab of it is in memory where the decision and the metric allow it.

    Raises:
        DataError: probabilities or truth are damaged.
    """
    task = contents.recipe.task
    if task.kind == "restore":
        return _restored(found, contents)
    metric = contents.recipe.metric.suited(task)
    judged = found.case.target is not None
    whole = judged and not metric.adds_up
    counts = counted(found, contents)
    masks = deciding(contents.decision, counts)
    if masks is None:
        masks = contents.decision.for_case(p for _, p in _slabs(found, whole=False))
    if masks is None:
        masks, whole = contents.decision, True
    tallies, empty, pixels = [], [], np.zeros(3)
    for region, prob in _slabs(found, whole=whole):
        decided = masks(prob)
        if not judged:
            pixels[1] += decided[int(task.exclusive) :].any(axis=0).sum()
            continue
        target, valid = truth(_part(found, region), task)
        tallies.append(metric.tally(prob if metric.soft else decided, target, valid))
        empty.append(metric.tally(nothing(target, task), target, valid))
        pixels += _any_class(decided, target, valid, first=int(task.exclusive))
    tally = np.sum(tallies, axis=0) if judged else None
    return ViewedCase(
        found,
        counts,
        None if tally is None else metric.score([tally]).value,
        tally,
        np.sum(empty, axis=0) if judged else None,
        (float(pixels[0]), float(pixels[1]), float(pixels[2])),
        max(map(unsure_share, counts[int(task.exclusive) :]), default=0.0),
        _expected(found, contents),
    )


def _restored(found: FoundCase, contents: Contents) -> ViewedCase:
    """Score restored values, where there is a truth."""
    task = contents.recipe.task
    metric = contents.recipe.metric.suited(task)
    tally = None
    if found.case.target is not None:
        slabs = _slabs(found, whole=not metric.adds_up)
        parts = [metric.tally(prob, *truth(_part(found, at), task)) for at, prob in slabs]
        tally = np.sum(parts, axis=0)
    value = None if tally is None else metric.score([tally]).value
    return ViewedCase(found, (), value, tally, None, (0.0, 0.0, 0.0), 0.0, None)


def counted(found: FoundCase, contents: Contents) -> tuple[Counts, ...]:
    """Return the histogram of each class; without a truth no pixel is true."""
    if found.case.target is None:
        areas = [Areas() for _ in range(contents.recipe.task.outputs)]
        for _, prob in found.predictions.slabs(found.case.id):
            for area, values in zip(areas, prob, strict=True):
                area.add(values)
        return tuple(area.counts() for area in areas)
    parts: list[list[Counts]] = []
    for region, prob in found.predictions.slabs(found.case.id):
        target, valid = truth(_part(found, region), contents.recipe.task)
        pairs = zip(prob, target, strict=True)
        parts.append([count(values, np.asarray(true), valid) for values, true in pairs])
    return tuple(merged(of_class) for of_class in zip(*parts, strict=True))


def deciding(decision: AnyDecision, counts: Sequence[Counts]) -> Masks | None:
    """Return what decides any part (K, *S) of a case, whose areas its histograms know.

    None: the decision is not by thresholds, or looks at connected components.
    """
    if not isinstance(decision, Threshold) or decision.overlap != "keep":
        return None
    if np.max(decision.min_component) > 1:
        return None
    numbers = cuts(decision, len(counts))
    shown = [of.above(t)[0] >= least for of, (t, least) in zip(counts, numbers, strict=True)]
    return Threshold(
        threshold=tuple(t if on else 1.0 for (t, _), on in zip(numbers, shown, strict=True))
    )


def cuts(decision: Threshold, classes: int) -> list[tuple[float, int]]:
    """Return threshold and minimum area of each class."""
    thresholds, areas = (
        value if isinstance(value, tuple) else (value,) * classes
        for value in (decision.threshold, decision.min_area)
    )
    return [(float(t), int(a)) for t, a in zip(thresholds, areas, strict=True)]


def unsure_share(counts: Counts) -> float:
    """Return the share of pixels whose probability is uncertain.

    It makes the sums of counts that scores at other thresholds need (no float16 is 0.1 or 0.9).
    """
    low, high = (counts.above(threshold)[0] for threshold in UNSURE)
    return (low - high) / max(counts.pixels, 1)


def _slabs(found: FoundCase, *, whole: bool) -> Iterator[Slab]:
    if whole:
        prob = found.predictions.prob(found.case.id)
        yield Region.whole(prob.shape[1:]), prob
    else:
        yield from found.predictions.slabs(found.case.id)


def _part(found: FoundCase, region: Region) -> Any:
    case = found.case
    return case if region.shape == tuple(case.image.shape) else case.crop(region, case.id)


def _any_class(
    masks: NDArray[np.bool_],
    target: NDArray[np.bool_],
    valid: NDArray[np.bool_] | None,
    *,
    first: int,
) -> NDArray[np.float64]:
    mine, true = masks[first:].any(axis=0), target[first:].any(axis=0)
    if valid is not None:
        mine, true = mine & valid, true & valid
    return np.array([(mine & true).sum(), mine.sum(), true.sum()], np.float64)


def _expected(found: FoundCase, contents: Contents) -> float | None:
    """Return the score that a case is expected to reach, given its probabilities alone."""
    if contents.outlook is None:
        return None
    slabs = (prob for _, prob in found.predictions.slabs(found.case.id))
    first = contents.recipe.metric.first
    return float(np.mean([value for _, value in contents.outlook.outlook(slabs)[first:]]))
