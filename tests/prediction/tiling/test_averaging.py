"""Means of whole answers against their formulas, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.prediction.tiling.averaging import combine
from lamina.recipe.recipe import Pool

RNG = np.random.default_rng(0)


def formula(answers: list[NDArray[np.float64]], weights: list[float], pool: Pool) -> object:
    """The mean in float64 and plain words; weights as they are given."""
    shares = np.array(weights) / sum(weights)
    if pool == "logit":
        total = sum(w * np.log(a / (1 - a)) for w, a in zip(shares, answers, strict=True))
        return 1 / (1 + np.exp(-total))
    power = {"probability": 1, "root_mean_square": 2, "cubic": 3}[pool]
    return sum(w * a**power for w, a in zip(shares, answers, strict=True)) ** (1 / power)


@pytest.mark.parametrize("pool", ["logit", "probability", "root_mean_square", "cubic"])
def test_means_follow_their_formulas(pool: Pool) -> None:
    """STEEL-24."""
    answers = [RNG.uniform(0.01, 0.99, (2, 3, 5)) for _ in range(3)]
    found = combine(answers, [2, 1, 0.5], "multilabel", pool)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, formula(answers, [2, 1, 0.5], pool), rtol=1e-5)


def test_higher_means_lean_to_the_surest() -> None:
    answers = [np.full((1, 1, 1), p) for p in (0.1, 0.8)]
    pools: list[Pool] = ["probability", "root_mean_square", "cubic"]
    found = [float(combine(answers, [1, 1], "binary", pool).squeeze()) for pool in pools]
    assert found == pytest.approx([0.45, 0.5701, 0.6354], abs=1e-4)


@pytest.mark.parametrize("pool", ["logit", "probability", "root_mean_square", "cubic"])
def test_exclusive_classes_sum_to_one(pool: Pool) -> None:
    raw = RNG.uniform(0.01, 1, (2, 4, 3, 3))
    answers = list(raw / raw.sum(1, keepdims=True))
    found = combine(answers, [3, 1], "multiclass", pool)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)
    np.testing.assert_array_equal(
        combine([answers[0]], [1], "multiclass", "probability"), answers[0].astype(np.float32)
    )


def test_answers_of_0_and_1_have_a_logit() -> None:
    sure = [np.array([[0.0, 1.0, 0.0]], np.float16), np.array([[0.0, 1.0, 1.0]], np.float16)]
    found = combine(sure, [1, 1], "binary", "logit")
    np.testing.assert_allclose(found, [[2**-12, 1 - 2**-12, 0.5]], rtol=1e-4)


def test_the_answers_are_not_changed() -> None:
    answers = [RNG.random((1, 2, 2), np.float32) for _ in range(2)]
    before = [answer.copy() for answer in answers]
    combine(answers, [1, 2], "binary", "cubic")
    np.testing.assert_array_equal(answers, before)


def test_a_mean_is_a_running_mean_and_a_blend_a_weighted_sum() -> None:
    """SIIM-27: the running mean of 15 checkpoints; SIIM-28: the sum by weights that add up to 1."""
    answers = [RNG.uniform(0, 1, (1, 4, 6)) for _ in range(15)]
    running = np.zeros((1, 4, 6))
    for number, answer in enumerate(answers, start=1):
        running += (answer - running) / number
    found = combine(answers, [1.0] * 15, "binary", "probability")
    np.testing.assert_allclose(found, running, rtol=1e-5)
    for weights in ([0.4, 0.2, 0.2, 0.2], [0.2, 0.15, 0.4, 0.25]):
        blend = sum(w * a for w, a in zip(weights, answers, strict=False))
        found = combine(answers[:4], weights, "binary", "probability")
        np.testing.assert_allclose(found, blend, rtol=1e-5)
