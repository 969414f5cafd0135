"""Binary cross-entropy by hand and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from lamina.errors import RecipeError
from lamina.model.losses.bce import Bce

CHANCE = torch.Generator().manual_seed(1)
LOGITS = torch.randn(2, 3, 4, 4, generator=CHANCE)
TARGET = torch.randint(0, 2, (2, 3, 4, 4), generator=CHANCE).float()


def test_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3.0)]).view(1, 1, 1, 2)  # p = 1/2, 3/4
    target = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    found = Bce()(logits, target, exclusive=False)
    assert found.item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_agrees_with_torch() -> None:
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGET)
    torch.testing.assert_close(Bce()(LOGITS, TARGET, exclusive=False), expected)


def test_positive_weights_of_outputs_agree_with_torch() -> None:
    weights = (0.5, 2.0, 7.0)
    expected = functional.binary_cross_entropy_with_logits(
        LOGITS, TARGET, pos_weight=torch.tensor(weights).view(3, 1, 1)
    )
    found = Bce(positive_weight=weights)(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found, expected)


def test_a_positive_weight_is_the_published_element_weight() -> None:
    """INK-18: weight 0.5 on ink, 1 elsewhere, the mean over all elements, not over weights."""
    element = torch.where(TARGET == 1, 0.5, 1.0)
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGET, weight=element)
    found = Bce(positive_weight=0.5)(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found, expected)


def test_pixels_outside_may_count() -> None:
    """INK-18: what is outside the papyrus is not excluded; the mean is over all elements."""
    valid = torch.zeros(2, 1, 4, 4)
    valid[0, 0, :2] = 1
    target = TARGET * valid
    weight = torch.where(target == 1, 0.5, 1.0)
    expected = functional.binary_cross_entropy_with_logits(LOGITS, target, weight=weight)
    ink = Bce(positive_weight=0.5, outside="count")
    torch.testing.assert_close(ink(LOGITS, target, valid, exclusive=False), expected)
    by_hand = Bce(positive_weight=0.5)(LOGITS, target, valid, exclusive=False)
    assert by_hand.item() != pytest.approx(expected.item(), rel=1e-3)


def test_the_mean_is_over_pixels_that_count() -> None:
    valid = torch.zeros(2, 1, 4, 4)
    valid[0, 0, :2] = 1
    expected = functional.binary_cross_entropy_with_logits(LOGITS[0, :, :2], TARGET[0, :, :2])
    torch.testing.assert_close(Bce()(LOGITS, TARGET, valid, exclusive=False), expected)


def test_a_wrong_number_of_weights_is_refused() -> None:
    with pytest.raises(RecipeError, match="2 weights, but the task has 3 outputs"):
        Bce(positive_weight=(1.0, 2.0))(LOGITS, TARGET, exclusive=False)


def test_it_is_the_mean_of_the_stable_form() -> None:
    """SIIM-14: max(x, 0) - x t + log(1 + exp(-|x|)), finite however sure the answer."""
    x, t = LOGITS.double() * 100, TARGET.double()
    expected = (x.clamp(min=0) - x * t + (-x.abs()).exp().log1p()).mean()
    torch.testing.assert_close(Bce()(LOGITS * 100, TARGET, exclusive=False).double(), expected)
