"""The pooled foreground of the tallies against masks worked out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.model.metrics import DiceScore
from lamina.predict.tallies import MaskTallies
from lamina.task import Task


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_any_class_is_judged_by_its_own_threshold_over_all_pixels(threshold: float) -> None:
    rng = np.random.default_rng(0)
    tallies = MaskTallies(
        DiceScore(), Task(kind="multilabel", names=("a", "b")), foreground=threshold
    )
    hits = both = 0
    for _ in range(3):
        prob = rng.random((2, 7, 9)).astype(np.float16)
        target = rng.random((2, 7, 9)) > 0.7
        tallies.add(prob, prob > 0.9, target, None)
        shown, true = prob.max(0) > np.float16(threshold), target.any(0)
        hits, both = hits + int((shown & true).sum()), both + int(shown.sum() + true.sum())
    summary = tallies.summary()
    assert summary["foreground_dice"] == pytest.approx(2 * hits / both)
    assert summary["foreground_threshold"] == threshold


def test_without_a_threshold_any_class_is_the_union_of_the_masks() -> None:
    tallies = MaskTallies(DiceScore(), Task(kind="multilabel", names=("a", "b")))
    masks = np.zeros((2, 2, 2), bool)
    masks[0, 0, 0] = masks[1, 1, 1] = True
    target = np.zeros((2, 2, 2), bool)
    target[0, 0, 0] = True
    tallies.add(masks.astype(np.float16), masks, target, None)
    assert tallies.summary()["foreground_dice"] == pytest.approx(2 / 3)
    assert tallies.summary()["foreground_dice_of_masks"] == pytest.approx(2 / 3)
