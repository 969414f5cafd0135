"""The weighted sum of several parts."""

from __future__ import annotations

import pytest
import torch

from lamina.model.losses import Bce, Dice, Focal, Jaccard, total

torch.set_num_threads(1)


def test_parts_are_named_by_kind_and_summed_with_their_weights() -> None:
    chance = torch.Generator().manual_seed(8)
    logits = torch.randn(2, 1, 4, 4, generator=chance).requires_grad_()
    target = torch.randint(0, 2, (2, 1, 4, 4), generator=chance)
    valid = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    losses = (Bce(weight=3), Dice(weight=1), Focal(weight=4), Dice(weight=2, over="all"))
    whole, parts = total(losses, logits, target, valid, exclusive=False)
    assert list(parts) == ["bce", "dice", "focal", "dice_2"]
    expected = 3 * parts["bce"] + parts["dice"] + 4 * parts["focal"] + 2 * parts["dice_2"]
    torch.testing.assert_close(whole.detach(), expected)
    torch.testing.assert_close(parts["dice_2"], losses[3](logits, target, exclusive=False).detach())
    assert not any(part.requires_grad for part in parts.values())
    whole.backward()
    assert logits.grad is not None


def test_smoothing_moves_the_target_of_every_part_as_in_steel_12() -> None:
    chance = torch.Generator().manual_seed(8)
    logits = torch.randn(2, 3, 4, 4, generator=chance)
    target = torch.randint(0, 2, (2, 3, 4, 4), generator=chance)
    valid = torch.rand(2, 1, 4, 4, generator=chance) < 0.5
    losses = (Bce(), Dice(), Focal(), Jaccard())
    _, parts = total(losses, logits, target, valid, exclusive=False, smoothing=0.05)
    soft = torch.where(target == 1, 0.95, 0.05)
    for name, loss in zip(parts, losses, strict=True):
        expected = loss(logits, soft, valid, exclusive=False)
        torch.testing.assert_close(parts[name], expected)
        assert parts[name] != loss(logits, target, valid, exclusive=False)


def test_no_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        total((), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), exclusive=False)
