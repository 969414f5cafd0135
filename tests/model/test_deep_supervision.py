"""Losses of several sizes against the formula, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lamina.model.deep_supervision import total_over_sizes, weights_of
from lamina.model.losses import AnyLoss, Bce, CrossEntropy, Dice, total

LOSSES: list[AnyLoss] = [Bce(weight=2.0), Dice(over="batch")]


def example(exclusive: bool = False) -> tuple[list[Tensor], Tensor, Tensor]:
    chance = torch.Generator().manual_seed(2)
    sizes = [(4, 8, 8), (4, 4, 4), (2, 2, 2)]
    answers = [torch.randn(2, 3, *size, generator=chance) for size in sizes]
    ids = torch.randint(0, 3, (2, *sizes[0]), generator=chance)
    target = torch.nn.functional.one_hot(ids, 3).movedim(-1, 1).float()
    valid = (torch.rand(2, 1, *sizes[0], generator=chance) < 0.9).float()
    return answers, target, valid


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [1]), (2, [1, 0]), (3, [2 / 3, 1 / 3, 0]), (4, [4 / 7, 2 / 7, 1 / 7, 0])],
)
def test_weights_halve_and_the_coarsest_has_none(count: int, expected: list[float]) -> None:
    assert weights_of(count) == pytest.approx(expected)


def test_each_size_is_judged_against_means() -> None:
    answers, target, valid = example()
    found, parts = total_over_sizes(LOSSES, answers, target, valid, exclusive=False)
    whole, first = total(LOSSES, answers[0], target, valid, exclusive=False)
    means = target.reshape(2, 3, 4, 4, 2, 4, 2).mean((4, 6))
    counts = valid.reshape(2, 1, 4, 4, 2, 4, 2).amin((4, 6))
    half, second = total(LOSSES, answers[1], means, counts, exclusive=False)
    torch.testing.assert_close(found, (2 * whole + half) / 3)
    for name in ("bce", "dice"):
        torch.testing.assert_close(parts[name], (2 * first[name] + second[name]) / 3)
    assert found.item() == pytest.approx(float(2 * parts["bce"] + parts["dice"]))


def test_one_answer_is_judged_as_ever() -> None:
    answers, target, valid = example()
    options = {"exclusive": False, "smoothing": 0.1, "floor": 0.01, "share": 0.5}
    found, parts = total_over_sizes(LOSSES, answers[0], target, valid, **options)
    expected, each = total(LOSSES, answers[0], target, valid, **options)
    assert torch.equal(found, expected)
    assert parts == each


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_gradient_of_a_soft_target_vanishes_where_it_is_met(exclusive: bool) -> None:
    """Of cross-entropy with shares: p - t, over what counts."""
    answers, target, valid = example()
    valid = torch.ones_like(valid)
    means = target.reshape(2, 3, 4, 4, 2, 4, 2).mean((4, 6))
    logits = answers[1].requires_grad_()
    losses: list[AnyLoss] = [CrossEntropy()] if exclusive else [Bce()]
    three = [answers[0].detach(), logits, answers[2].detach()]
    total_over_sizes(losses, three, target, valid, exclusive=exclusive)[0].backward()
    p = logits.softmax(1) if exclusive else logits.sigmoid()
    units = 2 * 4 * 4 * 4 * (1 if exclusive else 3)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, (p - means) / units / 3, rtol=1e-4, atol=1e-7)


def test_the_floor_is_of_the_mean() -> None:
    answers, target, valid = example()
    found, _ = total_over_sizes(LOSSES, answers, target, valid, exclusive=False, floor=50.0)
    assert found.item() == 50
