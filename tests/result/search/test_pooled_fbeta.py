"""The best pooled threshold against a sort of all pixels, and against sklearn, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from lamina.result.search.pooled_fbeta import Best, best_threshold


def by_sorting(prob: NDArray[np.float32], target: NDArray[np.bool_], beta: float) -> Best:
    """The slow twin: every distinct value, counted from a sort of all pixels."""
    order = np.argsort(prob)
    values, hits = prob[order], target[order]
    tp = hits[::-1].cumsum()[::-1]
    predicted = np.arange(prob.size, 0, -1)
    first = np.append(True, values[1:] != values[:-1])
    score = (1 + beta**2) * tp[first] / (beta**2 * target.sum() + predicted[first])
    at = int(score.argmax())
    return Best(float(values[first][at]), float(score[at]))


def by_sklearn(prob: NDArray[np.float32], target: NDArray[np.bool_], beta: float) -> float:
    precision, recall, thresholds = precision_recall_curve(target, prob)
    down = beta**2 * precision + recall
    score = np.divide(
        (1 + beta**2) * precision * recall, down, out=np.zeros_like(down), where=down > 0
    )
    return float(thresholds[score[:-1].argmax()])


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from(["smooth", "ties", "narrow"]),
)
def test_4b_equals_a_sort_of_all_pixels_bit_for_bit(
    seed: int, size: int, beta: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    target = rng.random(size) < rng.random()
    prob = rng.random(size) * 0.7 + 0.3 * target * rng.random(size)
    if kind == "ties":
        prob = prob.round(1)
    if kind == "narrow":  # all in very few cells
        prob = 0.5 + prob * 1e-4
    prob = prob.astype(np.float32)
    assert best_threshold(prob, target, beta) == by_sorting(prob, target, beta)


def test_4b_the_threshold_is_that_of_sklearn_bit_for_bit() -> None:
    rng = np.random.default_rng(4)
    target = rng.random((200, 500)) < 0.1
    prob = (1 / (1 + np.exp(-(3 * target - 2 + rng.normal(0, 1.5, target.shape))))).astype("f4")
    for beta in (0.5, 1.0):
        found = best_threshold(prob, target, beta)
        assert found.threshold == by_sklearn(prob.ravel(), target.ravel(), beta)


def test_by_hand_the_lowest_of_equals_and_the_ends_of_the_range() -> None:
    prob = np.array([0.0, -0.0, 0.25, 1.0], np.float32)
    target = np.array([False, False, True, True])
    assert best_threshold(prob, target) == (0.25, 1.0)
    assert best_threshold(prob, ~target) == (0.0, pytest.approx(2 * 2 / (2 + 4)))
    assert best_threshold(prob, np.zeros(4, np.bool_)) == (0.0, 0.0)
    assert best_threshold(prob.astype(np.float16), target) == (0.25, 1.0)


def test_what_is_no_probability_is_refused() -> None:
    target = np.zeros(2, np.bool_)
    for bad in (1.5, -0.1, np.nan):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            best_threshold(np.array([0.5, bad], np.float32), target)
    with pytest.raises(ValueError, match="float32 or float16"):
        best_threshold(np.zeros(2), target)
    with pytest.raises(ValueError, match="not empty"):
        best_threshold(np.zeros(3, np.float32), target)
