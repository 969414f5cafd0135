"""The weighted sum of several parts."""

from __future__ import annotations

import pytest
import torch

from lamina.model.losses import Bce, Dice, Focal, Jaccard, total


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


def test_smoothing_moves_the_target_of_every_part() -> None:
    """STEEL-12."""
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


@pytest.mark.parametrize("weights", [(3, 1, 4), (1, 1, 1), (2, 1, 2)])
def test_the_published_combination_is_clamped_from_below(weights: tuple[int, int, int]) -> None:
    """SIIM-13: w_bce BCE + w_dice Dice + w_focal Focal, then at least 1e-5, as torch clamps."""
    losses = [kind(weight=weight) for kind, weight in zip((Bce, Dice, Focal), weights, strict=True)]
    target = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    for size in (0.5, 50.0):  # unsure, and as good as right
        logits = (target * 2 - 1).mul(size).requires_grad_()
        reference = logits.detach().clone().requires_grad_()
        found, parts = total(losses, logits, target, exclusive=False, floor=1e-5)
        bce = torch.nn.functional.binary_cross_entropy_with_logits(reference, target)
        p = reference.sigmoid()
        dice = 1 - (2 * (p * target).sum() + 1e-6) / (p.sum() + target.sum() + 1e-6)
        q = (p * target + (1 - p) * (1 - target)).clamp(1e-8, 1 - 1e-8)
        focal = (-((1 - q) ** 2) * q.log()).mean()
        expected = weights[0] * bce + weights[1] * dice + weights[2] * focal
        expected = torch.clamp(expected, min=1e-5)
        torch.testing.assert_close(found, expected)
        found.backward()
        expected.backward()
        torch.testing.assert_close(logits.grad, reference.grad)
        assert logits.grad is not None
        assert logits.grad.any() == (size < 1)
        assert (found.item() == pytest.approx(1e-5)) == (size > 1)
        assert parts["bce"].item() == pytest.approx(float(bce.detach()))


def test_no_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        total((), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), exclusive=False)


def test_each_part_says_whether_it_counts_what_is_outside() -> None:
    """INK-18: BCE over everything, beside a Dice of the papyrus alone."""
    chance = torch.Generator().manual_seed(8)
    logits = torch.randn(2, 1, 4, 4, generator=chance)
    target = torch.randint(0, 2, (2, 1, 4, 4), generator=chance).float()
    valid = (torch.rand(2, 1, 4, 4, generator=chance) < 0.5).float()
    _, parts = total((Bce(outside="count"), Dice(smooth=1)), logits, target, valid, exclusive=False)
    torch.testing.assert_close(parts["bce"], Bce()(logits, target, exclusive=False))
    torch.testing.assert_close(
        parts["dice"], Dice(smooth=1)(logits, target, valid, exclusive=False)
    )
