"""Verdicts against the textbook standard error, and their sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamina.evaluation.verdict import INPUT, Verdict, verdict
from lamina.model.metrics import DiceScore, MseScore

DICE = DiceScore(over="image_class", empty="zero")


def dice_tally(hits: float) -> np.ndarray:
    """Return the tally of one class of 10 true and 10 predicted pixels; its Dice is hits / 10."""
    return np.asarray([[hits, 10.0, 10.0], [hits, 10.0, 10.0]])


NOTHING = dice_tally(0)


def of(hits: list[float], folds: list[int] | None = None) -> Verdict:
    return verdict(DICE, [dice_tally(h) for h in hits], [NOTHING] * len(hits), folds)


@given(arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 10).map(float)))
def test_over_cases_it_is_the_standard_error_of_the_mean(hits: np.ndarray) -> None:
    found = of(list(hits))
    wanted = (hits / 10).std(ddof=1) / np.sqrt(len(hits))
    assert found.standard_error == pytest.approx(wanted, abs=1e-9)
    assert found.gap == pytest.approx((hits / 10).mean())
    assert (found.over, found.count) == ("cases", len(hits))


def test_over_folds_of_one_size_it_is_that_of_the_means_of_folds() -> None:
    hits, folds = [2, 4, 6, 8, 4, 4], [0, 0, 1, 1, 2, 2]
    means = np.asarray([0.3, 0.7, 0.4])
    found = of([float(h) for h in hits], folds)
    assert found.standard_error == pytest.approx(means.std(ddof=1) / np.sqrt(3))
    assert (found.over, found.count) == ("folds", 3)
    assert of([1.0, 2.0], [0, 0]).over == "cases"


def test_many_cases_are_gathered_and_tell_about_the_same() -> None:
    hits = np.random.default_rng(3).integers(0, 11, 2000).astype(float)
    wanted = (hits / 10).std(ddof=1) / np.sqrt(len(hits))
    assert of(list(hits)).standard_error == pytest.approx(wanted, rel=0.3)


@pytest.mark.parametrize(
    ("hits", "sentence"),
    [
        (
            [5, 5, 5, 6],
            "better than the all-empty baseline by 0.5250 (21.0 standard errors over 4 cases)",
        ),
        (
            [0, 0, 0, 1],
            "no better than the all-empty baseline (+0.0250, 1.0 standard errors over 4 cases)",
        ),
        (
            [0, 0, 0],
            "no better than the all-empty baseline (+0.0000, without any spread over 3 cases)",
        ),
        (
            [5, 5],
            "better than the all-empty baseline by 0.5000 (without any spread over 2 cases)",
        ),
        (
            [5],
            "better than the all-empty baseline by 0.5000 (a single case: no spread to compare "
            "with)",
        ),
    ],
)
def test_sentences(hits: list[float], sentence: str) -> None:
    assert str(of([float(h) for h in hits])) == sentence


def test_lower_may_be_better() -> None:
    metric = MseScore()
    answer, noisy, truth = (np.full((1, 4, 4), v) for v in (0.1, 0.3, 0.0))
    scored = [metric.tally(answer, truth)] * 3
    baseline = [metric.tally(noisy, truth)] * 3
    assert verdict(metric, scored, baseline, against=INPUT).words == "better than"
    found = verdict(metric, baseline, scored, against=INPUT)
    assert found.words == "worse than"
    assert str(found).startswith("worse than the input by 0.0800")
