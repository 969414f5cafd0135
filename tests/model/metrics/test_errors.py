"""Squared errors and decibels by hand and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from lamina.model.metrics import Metric, MseScore, Psnr
from lamina.model.metrics.errors import squared_errors

CHANCE = np.random.Generator(np.random.PCG64(12))
ANSWER = CHANCE.random((3, 2, 8, 9)).astype(np.float32)
TRUTH = CHANCE.random((3, 2, 8, 9)).astype(np.float32)


def score(metric: Metric) -> float:
    return metric.score(map(metric.tally, ANSWER, TRUTH)).value


def test_tally_by_hand() -> None:
    answer, truth = np.array([[1, 2, 5]], np.uint8), np.array([[0, 4, 5]], np.uint8)
    assert squared_errors(answer, truth).tolist() == [[5, 3]]
    assert squared_errors(answer, truth, np.array([True, False, True])).tolist() == [[1, 2]]


def test_agrees_with_scikit_image() -> None:
    pairs = [(TRUTH[i, c], ANSWER[i, c]) for i in range(3) for c in range(2)]
    assert score(MseScore()) == pytest.approx(np.mean([mean_squared_error(*p) for p in pairs]))
    decibels = [peak_signal_noise_ratio(*p, data_range=2) for p in pairs]
    assert score(Psnr(peak=2)) == pytest.approx(np.mean(decibels))
    pooled = [peak_signal_noise_ratio(TRUTH[:, c], ANSWER[:, c], data_range=1) for c in range(2)]
    assert score(Psnr(over="pooled")) == pytest.approx(np.mean(pooled))


def test_an_answer_without_error_has_the_highest_value_and_no_infinity() -> None:
    metric = Psnr()
    assert metric.score([metric.tally(TRUTH[0], TRUTH[0])]).value == pytest.approx(100)


def test_where_nothing_counts_there_is_no_nan() -> None:
    """N08."""
    nowhere = np.zeros((8, 9), bool)
    for metric in (MseScore(), Psnr()):
        empty = metric.tally(ANSWER[0], TRUTH[0], nowhere)
        assert metric.score([empty]).classes == (None, None)
        assert metric.score([empty]).value == 0
        full = metric.tally(ANSWER[1], TRUTH[1])
        assert metric.score([empty, full]) == metric.score([full])


def test_directions_and_titles() -> None:
    assert not MseScore().higher_is_better
    assert Psnr().higher_is_better
    assert MseScore().title == "Mean squared error per image and channel"
    assert Psnr(over="pooled").title == "PSNR all images pooled"


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="answer is"):
        squared_errors(np.zeros((1, 2)), np.zeros((1, 3)))
