"""Fitting the expected-score decision of one class, and deciding the cases of a column with it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lamina.result.calibration import IDENTITY, Calibration, Method, calibrate
from lamina.result.expected.column import Column
from lamina.result.expected.cut import Weights, best_cuts
from lamina.result.expected.entries import Floats, Ints
from lamina.result.expected.presence import Presence, fit_presence, level_of
from lamina.result.search.histogram import CODES, VALUES
from lamina.spec import Spec

Empty = Literal["one", "zero", "skip"]

FEWEST = 3
"""Images with the class, and groups with it, below which a class keeps the default."""

_NOTHING = CODES - 1  # the code of 1.0: no probability is above


class ClassExpected(Spec):
    """What the expected-score decision knows of one class."""

    calibration: Calibration = IDENTITY
    """From stored to calibrated probability."""

    presence: Presence | None = None
    """Whether an image shows the class; null: every image may, as all images of the fit do."""

    fallback: float | None = None
    """A plain threshold in place of all this, where too few images show the class; 1: never
    predicted. null: the class is decided by expected score."""


def fit_class(
    column: Column, groups: Ints, weights: Weights, *, method: Method, default: float
) -> ClassExpected:
    """Fit calibration, presence and level of one class.

    Args:
        column: One class.
        groups: (N,) the group of each case.
        weights: Of the score.
        method: Of calibration.
        default: Threshold of a class that fewer than 3 images or 3 groups show.
    """
    present = column.truth > 0
    if shown(column, groups) < FEWEST:
        return ClassExpected(fallback=default)
    calibration = calibrate(column, groups, method)
    if present.all():
        return ClassExpected(calibration=calibration)
    table = calibration.table()
    promised = best_cuts(column, table, weights).value
    presence = fit_presence(promised, present)
    cuts = best_cuts(column, table, weights, presence(promised))
    reached = _reached(column, cuts.code, weights)[present]
    level = level_of(reached, cuts.value[present])
    return ClassExpected(
        calibration=calibration, presence=presence.model_copy(update={"level": level})
    )


def shown(column: Column, groups: Ints) -> int:
    """Return the number of groups that show the class; there are at least as many images."""
    return int(np.unique(groups[column.truth > 0]).size)


def decide(column: Column, fitted: ClassExpected, weights: Weights, empty: Empty) -> Ints:
    """Return the (N,) codes above which a pixel belongs to the class; 15360: an empty mask.

    Where empty against empty scores 1, a mask is empty if that is worth more in expectation: the
    probability of absence against presence times the score that can be hoped for. Where it
    scores 0 or does not count, no mask is emptied.
    """
    if fitted.fallback is not None:
        code = int(np.searchsorted(VALUES, fitted.fallback, side="right")) - 1
        return np.full(len(column), code, np.int64)
    table = fitted.calibration.table()
    cuts, chance = best_cuts(column, table, weights), np.ones(len(column))
    hope = cuts.value
    if fitted.presence is not None:
        chance = fitted.presence(cuts.value)
        cuts = best_cuts(column, table, weights, chance)
        hope = np.minimum(1.0, fitted.presence.level * cuts.value)
    codes = np.full(len(column), _NOTHING, np.int64)
    some = cuts.code > 0
    codes[some] = cuts.code[some] - 1
    if empty == "one":
        codes[1 - chance >= chance * hope] = _NOTHING
    return codes


def presence_and_expected(
    column: Column, fitted: ClassExpected, weights: Weights
) -> tuple[Floats, Floats]:
    """Return (N,) probabilities of presence and expected scores given presence."""
    table = fitted.calibration.table()
    cuts = best_cuts(column, table, weights)
    if fitted.presence is None:
        return np.ones(len(column)), cuts.value
    chance = fitted.presence(cuts.value)
    value = best_cuts(column, table, weights, chance).value
    return chance, np.minimum(1.0, fitted.presence.level * value)


def _reached(column: Column, code: Ints, weights: Weights) -> Floats:
    """Return the score of masks down to a code of each case, (N,) each; code 0: empty ones."""
    predicted, hits = column.above(np.where(code > 0, code - 1, _NOTHING))
    wrong = weights.false_positive * (predicted - hits)
    missed = weights.false_negative * (column.truth - hits)
    below = hits + wrong + missed
    return np.divide(hits, below, out=np.zeros_like(hits), where=below > 0)
