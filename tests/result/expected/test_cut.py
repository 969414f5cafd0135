"""The best mask in expectation, against every mask of few pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.result.expected.column import Column
from lamina.result.expected.cut import Weights, best_cuts, exact_value
from lamina.result.search.histogram import VALUES, count

DICE, IOU, F_HALF = Weights(), Weights(1, 1), Weights(1 / 1.25, 0.25 / 1.25)


def expectation(prob: NDArray[np.float64], mask: NDArray[np.bool_], weights: Weights) -> float:
    """The mean over all 2^n outcomes, written out; empty against empty does not occur."""
    total = 0.0
    for outcome in itertools.product([False, True], repeat=prob.size):
        truth = np.asarray(outcome)
        chance = float(np.prod(np.where(truth, prob, 1 - prob)))
        hits = float((mask & truth).sum())
        wrong, missed = float((mask & ~truth).sum()), float((~mask & truth).sum())
        if hits:
            total += (
                chance
                * hits
                / (hits + weights.false_positive * wrong + weights.false_negative * missed)
            )
    return total


@pytest.mark.parametrize("weights", [DICE, IOU, F_HALF])
def test_the_exact_value_is_the_mean_over_all_outcomes(weights: Weights) -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        prob = np.sort(rng.random(6))[::-1]
        for taken in range(1, 7):
            mask = np.arange(6) < taken
            assert exact_value(prob, taken, weights) == pytest.approx(
                expectation(prob, mask, weights), abs=1e-12
            )


@pytest.mark.parametrize("weights", [DICE, IOU, F_HALF])
def test_the_best_cut_is_the_best_of_all_masks_of_8_pixels(weights: Weights) -> None:
    rng = np.random.default_rng(2)
    outcomes = np.asarray(list(itertools.product([False, True], repeat=8)))  # (256, 8)
    hits = (outcomes[:, None] & outcomes[None]).sum(-1).astype(float)  # masks x truths
    wrong = (outcomes[:, None] & ~outcomes[None]).sum(-1)
    missed = (~outcomes[:, None] & outcomes[None]).sum(-1)
    below = hits + weights.false_positive * wrong + weights.false_negative * missed
    score = np.divide(hits, below, out=np.zeros_like(hits), where=below > 0)
    for _ in range(40):
        prob = rng.choice(VALUES[1:-1], 8).astype(np.float16)
        column = Column.of([count(prob, np.zeros(8, bool))])
        cuts = best_cuts(column, VALUES, weights)
        chance = np.where(outcomes, prob, 1 - prob.astype(float)).prod(-1)
        assert cuts.value[0] == pytest.approx((score @ chance).max(), abs=1e-12)


def test_the_fast_form_is_near_the_exact_one() -> None:
    rng = np.random.default_rng(3)
    for size, tolerance in ((64, 0.005), (400, 0.001)):
        prob = (rng.random(size) ** 3).astype(np.float16)
        column = Column.of([count(prob, np.zeros(size, bool))])
        cuts = best_cuts(column, VALUES, DICE)
        sorted_prob = np.sort(prob.astype(float))[::-1]
        values = [exact_value(sorted_prob, t, DICE) for t in range(1, size + 1, 3)]
        assert cuts.value[0] == pytest.approx(max(values), abs=tolerance)
        taken = int(column.above(cuts.code - 1)[0][0])
        assert exact_value(sorted_prob, taken, DICE) > max(values) - 0.001


def test_ties_are_taken_or_left_together() -> None:
    prob = np.repeat(np.asarray([0.9, 0.5, 0.1], np.float16), [30, 40, 50])
    column = Column.of([count(prob, np.zeros(120, bool))])
    taken = column.above(best_cuts(column, VALUES, DICE).code - 1)[0][0]
    candidates = {}
    for top in (30, 70, 120):
        hits = np.sort(prob.astype(float))[::-1][:top].sum()
        candidates[top] = 2 * hits / (top + prob.astype(float).sum())
    assert candidates[taken] == max(candidates.values())


def test_presence_divides_probabilities_up_to_1() -> None:
    prob = np.full(100, 0.2, np.float16)
    column = Column.of([count(prob, np.zeros(100, bool))])
    half = best_cuts(column, VALUES, DICE, np.asarray([0.5]))
    assert half.value[0] == pytest.approx(2 * 40 / (100 + 40), abs=1e-3)
    whole = best_cuts(column, VALUES, DICE, np.asarray([0.1]))
    assert whole.value[0] == pytest.approx(1.0)
