"""Absolute, squared and rounded errors, by hand and against torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lamina.model.losses import L1, Charbonnier, Mse, total
from lamina.model.losses.values import ValueLoss

ANSWER = torch.tensor([1.0, 2.0, 5.0]).view(1, 1, 1, 3)
TARGET = torch.tensor([0.0, 4.0, 5.0]).view(1, 1, 1, 3)
VALID = torch.tensor([1, 0, 1]).view(1, 1, 1, 3)


@pytest.mark.parametrize(
    ("loss", "errors"),
    [
        (L1(), (1, 2, 0)),
        (Mse(), (1, 4, 0)),
        (Charbonnier(eps=0.75), (1.25, 73**0.5 / 4, 0.75)),
        (Charbonnier(), (1, 2, 1e-3)),
    ],
    ids=str,
)
def test_mean_and_sum_by_hand(loss: ValueLoss, errors: tuple[float, float, float]) -> None:
    summed = loss.model_copy(update={"reduction": "sum"})
    one, _, three = errors
    assert not loss.adds_up
    assert summed.adds_up
    assert loss(ANSWER, TARGET, exclusive=False).item() == pytest.approx(sum(errors) / 3, rel=1e-6)
    assert summed(ANSWER, TARGET, exclusive=False).item() == pytest.approx(sum(errors), rel=1e-6)
    found = loss(ANSWER, TARGET, VALID, exclusive=False).item()
    assert found == pytest.approx((one + three) / 2, rel=1e-6)
    found = summed(ANSWER, TARGET, VALID, exclusive=False).item()
    assert found == pytest.approx(one + three, rel=1e-6)


def test_they_agree_with_torch() -> None:
    chance = torch.Generator().manual_seed(0)
    answer, target = torch.randn(2, 3, 2, 5, 7, generator=chance)
    for kind in ("mean", "sum"):
        found = L1(reduction=kind)(answer, target, exclusive=False)
        torch.testing.assert_close(found, functional.l1_loss(answer, target, reduction=kind))
        found = Mse(reduction=kind)(answer, target, exclusive=False)
        torch.testing.assert_close(found, functional.mse_loss(answer, target, reduction=kind))
    found = Charbonnier(eps=1e-6)(answer, target, exclusive=False)
    torch.testing.assert_close(found, functional.l1_loss(answer, target))


def test_a_rounded_error_has_a_gradient_of_zero_where_the_answer_is_right() -> None:
    answer = torch.zeros(1, 1, 2, 2, requires_grad=True)
    Charbonnier()(answer, torch.zeros(1, 1, 2, 2), exclusive=False).backward()
    assert answer.grad is not None
    assert answer.grad.tolist() == torch.zeros(1, 1, 2, 2).tolist()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_batches_of_one_step_add_up_to_the_step_as_a_whole(reduction: str) -> None:
    """NOISE-11: a sum is over all samples of an optimiser step; a mean counts samples alike."""
    chance = torch.Generator().manual_seed(1)
    answer, target = torch.rand(2, 5, 1, 4, 4, generator=chance)
    losses = (
        Mse.model_validate({"reduction": reduction, "weight": 2}),
        L1(weight=0.5),
    )
    whole, parts = total(losses, answer, target, exclusive=False)
    found, found_parts = torch.zeros(()), dict.fromkeys(parts, torch.zeros(()))
    for at in (slice(0, 3), slice(3, 5)):
        share = len(answer[at]) / 5
        one, some = total(losses, answer[at], target[at], exclusive=False, share=share)
        found = found + one
        found_parts = {key: found_parts[key] + some[key] for key in some}
    torch.testing.assert_close(found, whole)
    torch.testing.assert_close(found_parts, parts)
