"""Calibration: known curves are recovered, references are scikit-learn's, no evidence no change."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from lamina.result.calibration import (
    EVIDENCE,
    IDENTITY,
    LOGITS,
    calibrate,
    fit_isotonic,
    fit_platt,
)
from lamina.result.expected.column import Column
from lamina.result.reliability import reliability
from lamina.result.search.histogram import VALUES, Counts, count


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-z))


def images(
    number: int, slope: float, shift: float, *, seed: int = 0, pixels: int = 2000
) -> list[Counts]:
    """Maps whose true frequency is sigmoid(slope * logit + shift)."""
    rng = np.random.default_rng(seed)
    counts = []
    for _ in range(number):
        logit = rng.normal(-1.5, 2.0, pixels)
        prob = sigmoid(logit).astype(np.float16)
        true = rng.random(pixels) < sigmoid(slope * logit + shift)
        counts.append(count(prob, true))
    return counts


def test_a_known_slope_and_shift_are_recovered() -> None:
    column = Column.of(images(400, 0.6, -1.2))
    found = fit_platt(column, np.arange(400))
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.shift == pytest.approx(-1.2, abs=0.1)


def test_the_fit_is_the_minimum_of_its_loss() -> None:
    """Against a fine grid around it, with groups of unequal size, written out pixel by pixel."""
    counts = images(6, 0.7, -0.5, pixels=200)
    groups = np.asarray([0, 0, 0, 1, 1, 2])
    column = Column.of(counts)
    found = fit_platt(column, groups)

    def loss(slope: float, shift: float) -> float:
        total = 5.0 * (4 * (slope - 1) ** 2 + shift**2 / 4)
        for case, group in zip(counts, groups, strict=True):
            z = slope * LOGITS[case.codes] + shift
            entries = case.predicted * np.logaddexp(0, z) - case.positives * z
            total += EVIDENCE / 200 / (groups == group).sum() * entries.sum()
            rest, z0 = 200 - int(case.area.sum()), slope * LOGITS[0] + shift
            missed = case.truth - int(case.positives.sum())
            total += (
                EVIDENCE
                / 200
                / (groups == group).sum()
                * (rest * np.logaddexp(0, z0) - missed * z0)
            )
        return float(total)

    best = loss(found.slope, found.shift)
    for slope in found.slope + np.linspace(-0.1, 0.1, 9):
        for shift in found.shift + np.linspace(-0.1, 0.1, 9):
            assert loss(slope, shift) >= best - 1e-9


def test_a_calibrated_map_stays_as_it_is() -> None:
    column = Column.of(images(40, 1.0, 0.0))
    assert calibrate(column, np.arange(40), "platt") == IDENTITY


def test_what_helps_on_groups_left_out_is_kept() -> None:
    column = Column.of(images(40, 0.5, -2.0))
    found = calibrate(column, np.arange(40), "platt")
    assert not found.is_identity
    before, after = (reliability([(column, one)]).error for one in (IDENTITY, found))
    assert after < 0.3 * before


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_without_evidence_nothing_changes(method: str) -> None:
    wrong = images(12, 0.4, -2.0)
    one_group = calibrate(Column.of(wrong), np.zeros(12, int), method)  # type: ignore[arg-type]
    assert one_group == IDENTITY
    empty = [count(np.full(50, 0.3, np.float16), np.zeros(50, bool)) for _ in range(12)]
    assert calibrate(Column.of(empty), np.arange(12), method) == IDENTITY  # type: ignore[arg-type]
    assert calibrate(Column.of(wrong), np.arange(12), "none") == IDENTITY


def test_a_perfect_map_gives_finite_numbers() -> None:
    truth = np.arange(100) < 30
    column = Column.of([count(truth.astype(np.float16), truth) for _ in range(8)])
    found = fit_platt(column, np.arange(8))
    assert np.isfinite([found.slope, found.shift]).all()
    assert found.slope > 0
    table = found.table()
    assert table[0] < 0.01
    assert table[-1] > 0.99


def test_isotonic_regression_is_scikit_learns() -> None:
    counts = images(30, 0.5, -1.0, pixels=100)
    column = Column.of(counts)
    table = fit_isotonic(column, np.arange(30)).table()
    counted, positive = column.per_code(np.ones(30))
    seen = np.flatnonzero(counted)
    reference = IsotonicRegression(y_min=0, y_max=1).fit(
        VALUES[seen], positive[seen] / counted[seen], sample_weight=counted[seen]
    )
    difference = np.abs(table[seen] - reference.predict(VALUES[seen]))
    assert np.average(difference, weights=counted[seen]) < 0.01  # at most 64 knots
    assert (np.diff(table) >= 0).all()


def test_groups_weigh_equally() -> None:
    """One group copied many times over is one group still."""
    few, many = images(3, 0.5, -2.0, seed=1), images(3, 1.5, 1.0, seed=2)
    once = fit_platt(Column.of(few + many), np.asarray([0, 0, 0, 1, 1, 1]))
    often = fit_platt(Column.of(few * 5 + many), np.asarray([0] * 15 + [1] * 3))
    assert often.slope == pytest.approx(once.slope, abs=1e-6)
    assert often.shift == pytest.approx(once.shift, abs=1e-6)
