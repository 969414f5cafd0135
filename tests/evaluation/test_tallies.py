"""The pooled foreground of the tallies against masks worked out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.evaluation.tallies import MaskTallies, ValueTallies
from lamina.model.metrics import DiceScore, Psnr, TolerantDice
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


def test_a_case_in_parts_counts_like_the_whole() -> None:
    rng = np.random.default_rng(2)
    task = Task(kind="multiclass", names=("rock", "fault"))
    metric = TolerantDice(over="image", ignore_first=True, tolerance=1)
    whole, parts = MaskTallies(metric, task), MaskTallies(metric, task)
    for _ in range(3):
        fault = rng.random((6, 7, 8)).astype(np.float16)
        prob = np.stack([1 - fault, fault])
        masks, target = np.stack([fault <= 0.7, fault > 0.7]), rng.random((6, 7, 8)) > 0.8
        target, valid = np.stack([~target, target]), rng.random((6, 7, 8)) > 0.1
        cuts = [slice(0, 1), slice(1, 4), slice(4, 6)]
        one = whole.add(prob, masks, target, valid)
        two = parts.add_parts((prob[:, at], masks[:, at], target[:, at], valid[at]) for at in cuts)
        np.testing.assert_array_equal(one, two)
    assert parts.summary() == whole.summary()
    with pytest.raises(ValueError, match="at least one part"):
        parts.add_parts([])


def test_values_in_parts_count_like_the_whole() -> None:
    rng = np.random.default_rng(3)
    task = Task(kind="restore", names=("value",))
    whole, parts = ValueTallies(Psnr(), task), ValueTallies(Psnr(), task)
    answer, target = rng.random((2, 1, 6, 7, 8)).astype(np.float32)
    whole.add(answer, answer, target, None)
    cuts = [slice(0, 2), slice(2, 6)]
    parts.add_parts((answer[:, at], answer[:, at], target[:, at], None) for at in cuts)
    assert parts.summary()["value"] == pytest.approx(whole.summary()["value"])
    with pytest.raises(ValueError, match="at least one part"):
        parts.add_parts([])


def test_wrong_pixels_are_counted_whatever_the_metric() -> None:
    rng = np.random.default_rng(4)
    prob = rng.random((2, 9, 9)).astype(np.float16)
    masks, target = prob > 0.5, rng.random((2, 9, 9)) > 0.5
    for metric in (DiceScore(), TolerantDice()):
        tallies = MaskTallies(metric, Task(kind="multilabel", names=("a", "b")))
        tallies.add(prob, masks, target, None)
        assert tallies.wrong == (masks != target).sum()


def test_what_was_restored_from_is_scored_beside_the_answer() -> None:
    """Whole or in parts, with the metric of the answers."""
    rng = np.random.default_rng(5)
    task = Task(kind="restore", names=("value",))
    target = rng.random((1, 6, 7)).astype(np.float32)
    tallies = ValueTallies(Psnr(), task)
    tallies.add(target + 0.01, target + 0.01, target, None)
    assert tallies.summary()["baseline_input"] is None
    noisy = target + 0.1
    tallies.add_input(
        (noisy[:, at], noisy[:, at], target[:, at], None) for at in (slice(0, 4), slice(4, 6))
    )
    found = tallies.summary()
    assert found["value"] == pytest.approx(40, abs=1e-3)
    assert found["baseline_input"] == pytest.approx(20, abs=1e-3)
