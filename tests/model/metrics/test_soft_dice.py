"""Soft Dice against the loss it is the other side of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lamina.model.losses import Dice, total
from lamina.model.metrics import SoftDice


def _case(
    seed: int, *, absent: bool = False
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 2, 9, 7, generator=rng)
    labels = torch.zeros(9, 7, dtype=torch.long)
    if not absent:
        labels = (torch.rand(9, 7, generator=rng) < 0.2).long()
    target = torch.nn.functional.one_hot(labels, 2).permute(2, 0, 1)[None].float()
    return logits, target, logits.softmax(1)[0].numpy(), target[0].numpy() > 0


@pytest.mark.parametrize("absent", [False, True])
def test_it_is_one_minus_the_loss_of_the_same_pixels(absent: bool) -> None:
    """FAULT-8, FAULT-10: an absent class has a loss of 0."""
    logits, target, prob, truth = _case(1, absent=absent)
    loss = Dice(smooth=0, smooth_below=1e-7, absent="zero")
    valid = torch.ones(1, 1, 9, 7)
    value, _ = total((loss,), logits, target, valid, exclusive=True)
    metric = SoftDice()
    assert metric.score([metric.tally(prob, truth)]).value == pytest.approx(
        1 - float(value), abs=1e-6
    )


def test_pooled_is_the_score_of_the_images_side_by_side() -> None:
    metric, cases = SoftDice(), [_case(seed)[2:] for seed in (1, 2, 3)]
    together = [np.concatenate(each, axis=2) for each in zip(*cases, strict=True)]
    pooled = metric.score([metric.tally(*case) for case in cases])
    assert pooled.value == pytest.approx(metric.score([metric.tally(*together)]).value)
    each = SoftDice(over="image")
    values = [each.score([each.tally(*case)]).value for case in cases]
    assert each.score([each.tally(*case) for case in cases]).value == pytest.approx(np.mean(values))


def test_only_valid_pixels_count() -> None:
    _, _, prob, truth = _case(4)
    valid = np.zeros((9, 7), np.bool_)
    valid[2:6, 1:5] = True
    metric = SoftDice()
    crop = (slice(None), slice(2, 6), slice(1, 5))
    np.testing.assert_allclose(
        metric.tally(prob, truth, valid), metric.tally(prob[crop], truth[crop])
    )
    with pytest.raises(ValueError, match="target"):
        metric.tally(prob, truth[:1])
    with pytest.raises(ValueError, match="at least one"):
        metric.score([])


def test_slabs_add_up_to_their_volume() -> None:
    chance = np.random.Generator(np.random.PCG64(6))
    prob, truth = chance.random((2, 5, 4, 3)), chance.random((2, 5, 4, 3)) < 0.4
    metric = SoftDice()
    assert metric.adds_up
    parts = [metric.tally(prob[:, at], truth[:, at]) for at in (slice(0, 2), slice(2, 5))]
    np.testing.assert_allclose(sum(parts), metric.tally(prob, truth))


def test_the_first_class_is_left_out_where_asked_for() -> None:
    rng = np.random.default_rng(3)
    tallies = [
        SoftDice().tally(rng.random((3, 6, 6)), rng.random((3, 6, 6)) < 0.4) for _ in range(4)
    ]
    every, without = SoftDice().score(tallies), SoftDice(ignore_first=True).score(tallies)
    assert without.classes == (None, *every.classes[1:])
    assert without.value == pytest.approx(SoftDice().score([tally[1:] for tally in tallies]).value)
    assert "ignore_first" not in SoftDice().model_dump()
