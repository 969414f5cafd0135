"""The mask with the highest expected score: one threshold per image, found on its histogram.

Where pixels are independent given the probabilities, the best mask of any overlap score holds the
most probable pixels (Dai and Li, RankDice, JMLR 24(224), 2023); how many is the only question.
With t pixels taken, S the sum of their probabilities and M that of all,

    value(t) = S / (S + a (t - S) + b (M - S)),

a and b being the weights of false positives and false negatives (Dice: 1/2 and 1/2, IoU: 1 and 1,
F-beta: a = 1 / (1 + beta^2), b = 1 - a). This reciprocal-moment form errs by 0.002 at 32 pixels
and by less beyond; images below 64 pixels use the exact expectation over all outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamina.result.expected.column import Column
from lamina.result.expected.entries import Entries, Floats, Ints

SMALL = 64
"""Images with fewer pixels use the exact expectation."""


@dataclass(frozen=True)
class Weights:
    """What the score counts: tp / (tp + false_positive * fp + false_negative * fn)."""

    false_positive: float = 0.5
    false_negative: float = 0.5


DICE = Weights()


@dataclass(frozen=True)
class Cuts:
    """The best cut of each case of a column."""

    code: Ints
    """(N,) the lowest code that is taken; 0: the case has none above 0."""

    value: Floats
    """(N,) the expected score there, given that the class is present."""


def best_cuts(
    column: Column, probability: Floats, weights: Weights, presence: Floats | None = None
) -> Cuts:
    """Return the best cut of each case.

    Args:
        column: One class.
        probability: (CODES,) calibrated probability of each code.
        weights: Of the score.
        presence: (N,) probability that the case shows the class; probabilities of its pixels are
            divided by it, to be those given presence. None: 1.
    """
    share = np.ones(len(column)) if presence is None else np.maximum(presence, 1e-6)
    code, value = np.zeros(len(column), np.int64), np.zeros(len(column))
    for here, part in column.parts():
        entry, value[here] = _best_entries(part, probability, weights, share[here])
        some = entry >= 0
        code[here][some] = part.codes[entry[some]]
    return Cuts(code, value)


def _best_entries(
    entries: Entries, probability: Floats, weights: Weights, share: Floats
) -> tuple[Ints, Floats]:
    """Return the last entry that the best cut of each case takes, (N,), and its value.

    A case without entries has the entry -1.
    """
    given = np.minimum(1.0, probability[entries.codes] / entries.spread(share))
    beyond = np.minimum(1.0, probability[0] / share)  # of the pixels of code 0
    taken, hits = entries.running(entries.area), entries.running(entries.area * given)
    rest = entries.pixels - entries.sums(entries.area)
    total = entries.sums(entries.area * given) + rest * beyond
    wrong = weights.false_positive * (taken - hits)
    missed = weights.false_negative * (entries.spread(total) - hits)
    below = hits + wrong + np.maximum(missed, 0)
    value = np.divide(hits, below, out=np.zeros_like(hits), where=below > 0)
    entry, best = entries.highest(value)
    for case in np.flatnonzero((entries.pixels < SMALL) & (entry >= 0)):
        these = slice(entries.starts[case], entries.starts[case + 1])
        many = np.append(entries.area[these], rest[case]).astype(int)
        pixels = np.repeat(np.append(given[these], beyond[case]), many)
        ends = np.cumsum(many[:-1])
        values = np.asarray([exact_value(pixels, int(end), weights) for end in ends])
        at = int(values.argmax())
        entry[case], best[case] = entries.starts[case] + at, values[at]
    return entry, best


def exact_value(probability: Floats, taken: int, weights: Weights) -> float:
    """Return the expected score of the first ``taken`` pixels, over all outcomes.

    With A and B the numbers of true pixels among those taken and among the others, both
    Poisson-binomial, it is the mean of A / ((1 - a) A + a t + b B).

    Args:
        probability: (n,) of the pixels, in any order; pixels are independent.
        taken: Number of leading pixels in the mask, at least 1.
        weights: Of the score.
    """
    inside, outside = _outcomes(probability[:taken]), _outcomes(probability[taken:])
    a, b = weights.false_positive, weights.false_negative
    hits = np.arange(inside.size)[:, None]
    missed = np.arange(outside.size)[None, :]
    below = (1 - a) * hits + a * taken + b * missed
    value = np.divide(hits, below, out=np.zeros(below.shape), where=below > 0)
    return float(inside @ value @ outside)


def _outcomes(probability: Floats) -> Floats:
    """Return the distribution of the number of successes of independent trials, (n + 1,)."""
    chance = np.ones(1)
    for p in probability:
        chance = np.append(chance * (1 - p), 0.0) + np.append(0.0, chance * p)
    return chance
