"""Reliability diagrams by their definition and scikit-learn; risk and coverage by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from lamina.result.calibration import IDENTITY
from lamina.result.expected.column import Column
from lamina.result.reliability import cross_fitted, reliability, risk_and_coverage
from lamina.result.search.histogram import Counts, count


def test_the_error_is_that_of_its_definition() -> None:
    prob = np.asarray([0.1, 0.1, 0.55, 0.95], np.float16)
    truth = np.asarray([False, True, True, True])
    found = reliability([(Column.of([count(prob, truth)]), IDENTITY)], bins=2)
    p = prob.astype(float)
    low, high = abs(p[:2].mean() - 0.5) * 0.5, abs(p[2:].mean() - 1.0) * 0.5
    assert found.error == pytest.approx(low + high)
    assert [share for *_, share in found.bins] == [0.5, 0.5]


def test_the_bins_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    prob = rng.random(5000).astype(np.float16)
    truth = rng.random(5000) < prob.astype(float) ** 2
    found = reliability([(Column.of([count(prob, truth)]), IDENTITY)], bins=10)
    frequency, mean = calibration_curve(truth, prob.astype(float), n_bins=10)
    np.testing.assert_allclose([row[1] for row in found.bins], frequency, atol=2e-3)
    np.testing.assert_allclose([row[0] for row in found.bins], mean, atol=2e-3)


def overconfident(groups: int, rng: np.random.Generator) -> list[Counts]:
    counts = []
    for _ in range(groups):
        logit = rng.normal(-2, 1.5, 2000)
        truth = rng.random(2000) < 1 / (1 + np.exp(-logit))
        counts.append(count((1 / (1 + np.exp(-2 * logit - 2))).astype(np.float16), truth))
    return counts


def test_calibration_lowers_the_error_of_groups_left_out() -> None:
    column, groups = Column.of(overconfident(20, np.random.default_rng(1))), np.arange(20)
    before = reliability([(column, IDENTITY)])
    after = cross_fitted(column, groups, "platt")
    assert before.error > 0.1
    assert after.error < before.error / 3
    assert cross_fitted(column, np.zeros(20, int), "platt") == before


def test_risk_falls_where_confidence_ranks_and_its_end_is_the_whole() -> None:
    score = np.asarray([0.2, 1.0, 0.6, 0.8])
    coverage, risk, area = risk_and_coverage(score, score)
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(risk, [0.0, 0.1, 0.2, 0.35])
    assert area == pytest.approx(0.1625)
    _, turned, worse = risk_and_coverage(-score, score)
    assert turned[-1] == pytest.approx(risk[-1])
    assert worse > area
