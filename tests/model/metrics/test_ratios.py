"""Dice, IoU, F-beta, precision and recall against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from lamina.model.metrics import CountMetric, DiceScore, FBeta, Iou, Precision, Recall

CHANCE = np.random.Generator(np.random.PCG64(11))
ANSWER: NDArray[np.bool_] = CHANCE.random((4, 3, 9, 9)) < 0.3
TRUTH: NDArray[np.bool_] = CHANCE.random((4, 3, 9, 9)) < 0.4
VALID: NDArray[np.bool_] = CHANCE.random((4, 9, 9)) < 0.8

PAIRS = [
    (DiceScore, {}, reference.f1_score),
    (Iou, {}, reference.jaccard_score),
    (FBeta, {"beta": 0.5}, lambda t, a: reference.fbeta_score(t, a, beta=0.5)),
    (FBeta, {"beta": 2.0}, lambda t, a: reference.fbeta_score(t, a, beta=2)),
    (Precision, {}, reference.precision_score),
    (Recall, {}, reference.recall_score),
]


@pytest.mark.parametrize(("kind", "options", "slow"), PAIRS)
def test_agrees_with_scikit_learn(
    kind: type[CountMetric], options: dict[str, float], slow: object
) -> None:
    def score(over: str) -> float:
        metric = kind.model_validate({"over": over, **options})
        cases = zip(ANSWER, TRUTH, VALID, strict=True)
        return metric.score(metric.tally(*case) for case in cases).value

    pairs = [
        [slow(TRUTH[i, k][VALID[i]], ANSWER[i, k][VALID[i]]) for k in range(3)]  # type: ignore[operator]
        for i in range(4)
    ]
    assert score("image_class") == pytest.approx(np.mean(pairs))
    pooled = [slow(TRUTH[:, k][VALID], ANSWER[:, k][VALID]) for k in range(3)]  # type: ignore[operator]
    assert score("pooled") == pytest.approx(np.mean(pooled))
    answer, truth = ANSWER.any(1), TRUTH.any(1)
    assert score("foreground") == pytest.approx(slow(truth[VALID], answer[VALID]))  # type: ignore[operator]
    images = [slow(truth[i][VALID[i]], answer[i][VALID[i]]) for i in range(4)]  # type: ignore[operator]
    assert score("image") == pytest.approx(np.mean(images))


def test_undefined_precision_and_recall_are_one() -> None:
    """STEEL-13."""
    nothing, something = np.zeros((1, 2, 2), bool), np.ones((1, 2, 2), bool)
    precision, recall = Precision(), Recall()
    assert precision.score([precision.tally(nothing, something)]).value == 1
    assert recall.score([recall.tally(something, nothing)]).value == 1
    assert recall.score([recall.tally(nothing, something)]).value == 0
