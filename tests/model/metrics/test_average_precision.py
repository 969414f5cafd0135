"""Average precision by hand, against scikit-learn, and its laws."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from lamina.errors import RecipeError
from lamina.model.metrics import AveragePrecision
from lamina.model.metrics.average_precision import _END, LEVELS
from lamina.task import Task

PIXELS, IMAGES = AveragePrecision(), AveragePrecision(over="images")
ON_LEVELS = 1 / (1 + np.exp(-np.linspace(-_END, _END, LEVELS)))
"""The probabilities that a tally tells apart."""


def of(metric: AveragePrecision, *cases: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> float:
    return metric.score([metric.tally(prob, truth) for prob, truth in cases]).value


def test_pixels_by_hand() -> None:
    """Ranks: true, false, true: (1 + 2/3) / 2."""
    prob, truth = np.array([[[0.9, 0.5, 0.2]]]), np.array([[[True, False, True]]])
    assert of(PIXELS, (prob, truth)) == pytest.approx((1 + 2 / 3) / 2)


@given(arrays(np.int64, (3, 2, 4, 5), elements=st.integers(0, LEVELS - 1)), st.data())
def test_pixels_agree_with_scikit_learn(ranks: NDArray[np.int64], data: st.DataObject) -> None:
    truth = data.draw(arrays(np.bool_, ranks.shape))
    prob = ON_LEVELS[ranks]
    found = PIXELS.score([PIXELS.tally(p, t) for p, t in zip(prob, truth, strict=True)])
    wanted = [
        average_precision_score(truth[:, k].ravel(), prob[:, k].ravel())
        if truth[:, k].any()
        else None
        for k in range(2)
    ]
    assert found.classes == pytest.approx(wanted)
    there = [value for value in wanted if value is not None]
    assert found.value == pytest.approx(np.mean(there) if there else 0.0)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_rounding_to_levels_costs_about_a_thousandth(kind: type) -> None:
    draw = np.random.default_rng(0)
    truth = draw.random((1, 200, 300)) < 0.05
    odds = draw.normal(-4, 1.5, truth.shape) + 3 * truth
    prob = (1 / (1 + np.exp(-odds))).astype(kind)
    wanted = average_precision_score(truth.ravel(), prob.ravel().astype(np.float64))
    assert 0.2 < wanted < 0.9
    assert of(PIXELS, (prob, truth)) == pytest.approx(wanted, abs=1.5e-3)


@given(arrays(np.float64, (6, 2, 2, 3), elements=st.floats(0, 1)), st.data())
def test_images_agree_with_scikit_learn(prob: NDArray[np.float64], data: st.DataObject) -> None:
    truth = data.draw(arrays(np.bool_, prob.shape))
    found = IMAGES.score([IMAGES.tally(p, t) for p, t in zip(prob, truth, strict=True)])
    highest, there = prob.max(axis=(2, 3)), truth.any(axis=(2, 3))
    wanted = [
        average_precision_score(there[:, k], highest[:, k]) if there[:, k].any() else None
        for k in range(2)
    ]
    assert found.classes == pytest.approx(wanted)


def test_a_prediction_without_information_scores_the_share_of_true_pixels() -> None:
    truth = np.zeros((1, 10, 10), np.bool_)
    truth[0, :3] = True
    assert of(PIXELS, (np.zeros(truth.shape), truth)) == pytest.approx(0.3)
    assert of(PIXELS, (truth.astype(np.float64), truth)) == 1.0


def test_classes_that_are_nowhere_are_left_out() -> None:
    truth = np.zeros((2, 2, 2), np.bool_)
    truth[1, 0, 0] = True
    prob = truth * 0.9
    for metric in (PIXELS, IMAGES):
        assert metric.score([metric.tally(prob, truth)]).classes == (None, 1.0)
        assert metric.score([metric.tally(prob[:1], truth[:1])]).value == 0.0


def test_pixels_that_do_not_count_are_left_out() -> None:
    prob, truth = np.array([[[0.9, 0.5, 0.2]]]), np.array([[[True, False, True]]])
    valid = np.array([[True, False, True]])
    for metric in (PIXELS, IMAGES):
        assert metric.score([metric.tally(prob, truth, valid)]).value == 1.0
    nowhere = IMAGES.tally(prob, truth, np.zeros((1, 3), np.bool_))
    assert nowhere.tolist() == [[-1.0, 0.0]]


def test_the_background_of_exclusive_classes_is_left_out_and_tallies_are_json() -> None:
    metric = PIXELS.suited(Task(kind="multiclass", names=("background", "a")))
    truth = np.stack([~np.eye(3, dtype=np.bool_), np.eye(3, dtype=np.bool_)])
    tally = metric.tally(truth * 0.8, truth)
    assert metric.score([np.asarray(json.loads(json.dumps(tally.tolist())))]).classes == (None, 1.0)
    assert "without class 0" in metric.title
    with pytest.raises(RecipeError, match="leaves no class"):
        metric.tally(truth[:1] * 0.8, truth[:1])


def test_tune_is_told_why_nothing_can_be_searched() -> None:
    with pytest.raises(RecipeError, match="ranks probabilities over all thresholds"):
        PIXELS.aim(2)
    with pytest.raises(ValueError, match="at least one tally"):
        PIXELS.score([])
    with pytest.raises(ValueError, match="answer is"):
        PIXELS.tally(np.zeros((1, 2, 2)), np.zeros((1, 2, 3), np.bool_))
