"""How far probabilities can be taken at their word: reliability diagrams, risk and coverage.

The expected calibration error is the mean over pixels of the absolute difference of probability
and frequency, bin by bin (Naeini et al. 2015).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lamina.result.calibration import IDENTITY, Calibration, Method, calibrate
from lamina.result.expected.column import Column
from lamina.result.expected.entries import Floats, Ints
from lamina.result.selection.ratio import places
from lamina.spec import Spec

_PARTS = 5


class Reliability(Spec):
    """A reliability diagram of one class."""

    error: float
    """Expected calibration error, 0 to 1."""

    bins: tuple[tuple[float, float, float], ...]
    """Mean probability, frequency of the class and share of pixels of each bin that has pixels,
    from low to high."""


def reliability(parts: Iterable[tuple[Column, Calibration]], bins: int = 15) -> Reliability:
    """Return the diagram of one class.

    Args:
        parts: Cases, each with the curve that its probabilities go through.
        bins: Equal widths of probability.
    """
    sums = np.zeros((3, bins))
    for column, calibration in parts:
        counted, positive = column.per_code(np.ones(len(column)))
        probability = calibration.table()
        place = np.minimum((probability * bins).astype(int), bins - 1)
        for row, weights in enumerate((counted * probability, positive, counted)):
            sums[row] += np.bincount(place, weights, minlength=bins)
    mean, hits, many = sums
    total = max(float(many.sum()), 1.0)
    filled = [
        (float(mean[k] / many[k]), float(hits[k] / many[k]), float(many[k] / total))
        for k in np.flatnonzero(many > 0)
    ]
    return Reliability(error=float(np.abs(mean - hits).sum() / total), bins=tuple(filled))


def cross_fitted(column: Column, groups: Ints, method: Method) -> Reliability:
    """Return the diagram of groups that had no part in their calibration.

    Args:
        column: One class.
        groups: (N,) the group of each case; with one group nothing is calibrated.
        method: Of the calibration.
    """
    place = places(groups)
    many = int(place.max(initial=-1)) + 1
    if many < 2:
        return reliability([(column, IDENTITY)])
    parts = place % min(_PARTS, many)
    found: list[tuple[Column, Calibration]] = []
    for part in np.unique(parts):
        out, rest = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        found.append((column.take(out), calibrate(column.take(rest), groups[rest], method)))
    return reliability(found)


def risk_and_coverage(confidence: Floats, score: Floats) -> tuple[Floats, Floats, float]:
    """Return what the surest cases miss of the full score, for every share of cases kept.

    Args:
        confidence: (N,) the higher the surer; equal ones keep their order.
        score: (N,) what each case reached, at most 1.

    Returns:
        Coverage (N,) from 1/N to 1, risk (N,) = 1 - mean score of the surest cases, and the area
        under that curve, the mean risk (Geifman and El-Yaniv 2017).
    """
    order = np.argsort(-confidence, kind="stable")
    number = np.arange(1, score.size + 1)
    risk = 1 - np.cumsum(score[order]) / number
    return number / score.size, np.asarray(risk, np.float64), float(risk.mean())
