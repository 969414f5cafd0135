"""The weighted sum of several parts."""

from __future__ import annotations

import pytest
import torch

from lamina.model.losses import Bce, Dice, Focal, total

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


def test_no_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        total((), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), exclusive=False)
