"""Means of ratios and their standard errors, against scipy and a bootstrap over groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lamina.result.selection.ratio import Parts, places, standard_error, student_95


@pytest.mark.parametrize("freedom", [1, 2, 5, 11, 29, 30, 31, 60, 200, 5000])
def test_the_quantile_is_scipys(freedom: int) -> None:
    assert student_95(freedom) == pytest.approx(stats.t.ppf(0.95, freedom), abs=0.005)
    assert student_95(0) == float("inf")


def test_a_score_is_the_mean_over_classes_of_ratios_of_sums() -> None:
    parts = Parts(np.asarray([[1.0, 2.0], [3.0, 0.0]]), np.asarray([[2.0, 4.0], [6.0, 4.0]]))
    assert parts.score() == pytest.approx((4 / 8 + 2 / 8) / 2)
    empty = Parts(np.zeros((2, 1)), np.zeros((2, 1)), nothing=0.0)
    assert empty.score() == 0.0


@pytest.mark.parametrize("pooled", [False, True])
def test_the_error_is_that_of_a_bootstrap_over_groups(pooled: bool) -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    level = rng.normal(0, 0.1, 60)[groups]
    below = (
        rng.integers(20, 400, (groups.size, 2)).astype(float)
        if pooled
        else np.ones((groups.size, 2))
    )
    above = below * np.clip(0.6 + level[:, None] + rng.normal(0, 0.1, below.shape), 0, 1)
    parts = Parts(above, below)
    found = standard_error(parts.influence(groups))
    scores = []
    members = [np.flatnonzero(groups == g) for g in range(60)]
    for _ in range(600):
        use = np.concatenate([members[g] for g in rng.integers(0, 60, 60)])
        scores.append(Parts(above[use], below[use]).score())
    assert found == pytest.approx(np.std(scores), rel=0.15)


def test_influences_sum_to_nothing() -> None:
    rng = np.random.default_rng(5)
    parts = Parts(rng.random((20, 3)), 1 + rng.random((20, 3)))
    assert parts.influence(np.arange(20) // 4).sum() == pytest.approx(0, abs=1e-12)


def test_groups_are_numbered_as_they_appear() -> None:
    assert places(np.asarray([7, 7, 3, 9, 3])).tolist() == [0, 0, 1, 2, 1]
    assert standard_error(np.zeros(1)) == float("inf")
