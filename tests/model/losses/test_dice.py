"""Soft Dice by hand, against published formulas and against segmentation_models_pytorch."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from lamina.errors import OptionError, RecipeError
from lamina.model.losses.dice import Dice

CHANCE = torch.Generator().manual_seed(4)
LOGITS = torch.randn(2, 3, 6, 6, generator=CHANCE)
TARGET = torch.randint(0, 2, (2, 3, 6, 6), generator=CHANCE).float()
IDS = torch.randint(0, 2, (2, 6, 6), generator=CHANCE)  # the third class is absent


def test_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3.0)]).view(1, 1, 1, 2)  # p = 1/2, 3/4
    target = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    found = Dice(smooth=0, smooth_below=1e-9)(logits, target, exclusive=False)
    assert found.item() == pytest.approx(1 - 2 * 0.5 / (1.25 + 1))


@pytest.mark.parametrize(
    ("over", "axes"),
    [("all", (0, 1, 2, 3)), ("batch", (0, 2, 3)), ("image", (1, 2, 3)), ("image_class", (2, 3))],
)
def test_a_ratio_is_taken_over_its_scope(over: str, axes: tuple[int, ...]) -> None:
    p = LOGITS.sigmoid()
    above = 2 * (p * TARGET).sum(axes) + 1e-6
    below = p.sum(axes) + TARGET.sum(axes) + 1e-6
    found = Dice.model_validate({"over": over})(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found, 1 - (above / below).mean())


def test_the_steel_setting_scores_empty_against_empty_as_one() -> None:
    """STEEL-11."""
    steel = Dice(over="all", smooth=0, smooth_below=1e-7)
    p = LOGITS.sigmoid()
    expected = 1 - 2 * (p * TARGET).sum() / (p.sum() + TARGET.sum() + 1e-7)
    torch.testing.assert_close(steel(LOGITS, TARGET, exclusive=False), expected)
    nothing = torch.full((1, 1, 2, 2), -1e4), torch.zeros(1, 1, 2, 2)
    assert steel(*nothing, exclusive=False).item() == 1
    assert Dice()(*nothing, exclusive=False).item() == 0


def test_the_ink_setting_is_the_published_dice() -> None:
    """INK-18: Dice with smooth 1, over everything at once."""
    p = LOGITS.sigmoid()
    expected = 1 - (2 * (p * TARGET).sum() + 1) / (p.sum() + TARGET.sum() + 1)
    torch.testing.assert_close(
        Dice(over="all", smooth=1, outside="count")(
            LOGITS, TARGET, torch.zeros(2, 1, 6, 6), exclusive=False
        ),
        expected,
    )


def test_the_fault_setting_is_the_published_dice() -> None:
    """FAULT-8."""
    target = one_hot(IDS)
    p = LOGITS.softmax(1)
    losses = []
    for k in range(3):
        above = 2 * (p[:, k] * target[:, k]).sum()
        below = (p[:, k] + target[:, k]).sum().clamp(min=1e-7)
        losses.append((1 - above / below) * (target[:, k].sum() > 0))
    fault = Dice(smooth=0, smooth_below=1e-7, absent="zero")
    expected = torch.stack(losses).mean()
    torch.testing.assert_close(fault(LOGITS, target, exclusive=True), expected)
    skip = Dice(smooth=0, smooth_below=1e-7, absent="skip")
    torch.testing.assert_close(skip(LOGITS, target, exclusive=True), expected * 3 / 2)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_agrees_with_segmentation_models_pytorch(exclusive: bool, log: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from segmentation_models_pytorch.losses import DiceLoss

    mode = "multiclass" if exclusive else "multilabel"
    reference = DiceLoss(mode, smooth=0.5, log_loss=log)  # added to half of each sum
    mine = Dice(smooth=1.0, absent="zero", log=log)
    target = one_hot(IDS) if exclusive else TARGET
    expected = reference(LOGITS, IDS if exclusive else TARGET)
    torch.testing.assert_close(mine(LOGITS, target, exclusive=exclusive), expected)


def test_the_default_is_the_published_one_and_classes_may_be_weighted_in_a_sum() -> None:
    """SIIM-14: one ratio over the whole batch per channel; weights 1, 0.5, 0.5, summed."""
    expected = 0.0
    for k, weight in enumerate((1, 0.5, 0.5)):
        p, t = LOGITS[:, k].double().sigmoid(), TARGET[:, k].double()
        expected += weight * float(1 - (2 * (p * t).sum() + 1e-6) / (p.sum() + t.sum() + 1e-6))
    found = Dice(class_weights=(1, 0.5, 0.5))(LOGITS, TARGET, exclusive=False)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    even = Dice(class_weights=(1 / 3, 1 / 3, 1 / 3), over="image_class")
    plain = Dice(over="image_class")(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(even(LOGITS, TARGET, exclusive=False), plain)


def test_class_weights_must_fit() -> None:
    with pytest.raises(RecipeError, match=r"dice: class_weights lists 2 weights, but .* 3 outputs"):
        Dice(class_weights=(1, 2))(LOGITS, TARGET, exclusive=False)
    for options in ({"over": "all"}, {"over": "image"}, {"absent": "skip"}):
        with pytest.raises(ValidationError, match="one ratio per class"):
            Dice.model_validate({"class_weights": (1, 2)} | options)


def test_a_ratio_that_may_be_zero_by_zero_is_refused() -> None:
    with pytest.raises(OptionError, match="empty against empty is 0/0"):
        Dice(smooth=0)


def one_hot(ids: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(ids, 3).movedim(-1, 1).float()
