"""What all losses promise: a scalar in float32, and nothing from pixels that do not count."""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

import lamina.model.losses as face
from lamina.errors import RecipeError
from lamina.model.losses import (
    L1,
    AnyLoss,
    Bce,
    Charbonnier,
    CrossEntropy,
    Dice,
    Focal,
    Jaccard,
    Loss,
    Lovasz,
    Mse,
)

CASES = [
    (Bce(), False),
    (Bce(positive_weight=(2.0, 0.5, 3.0)), False),
    (CrossEntropy(), True),
    (CrossEntropy(class_weights=(1.0, 2.0, 4.0), smoothing=0.2), True),
    (Dice(), False),
    (Dice(over="all", smooth=0, smooth_below=1e-7), False),
    (Dice(over="image"), True),
    (Dice(over="image_class", absent="skip"), False),
    (Dice(log=True), True),
    (Focal(), False),
    (Focal(alpha=0.25, gamma=0.5), False),
    (Focal(), True),
    (Jaccard(), False),
    (Lovasz(symmetric=True), False),
    (Lovasz(over="batch", errors="probability"), False),
    (Lovasz(errors="probability"), True),
    (Dice(class_weights=(1.0, 0.5, 0.5)), False),
    (Mse(), False),
    (Mse(reduction="sum"), False),
    (L1(), False),
    (L1(reduction="sum"), False),
    (Charbonnier(), False),
    (Charbonnier(reduction="sum"), False),
]


def example(*, exclusive: bool) -> tuple[Tensor, Tensor, Tensor]:
    chance = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 4, 5, generator=chance) * 3
    ids = torch.randint(0, 3, (2, 4, 5), generator=chance)
    one_hot = torch.nn.functional.one_hot(ids, 3).movedim(-1, 1)
    free = torch.randint(0, 2, (2, 3, 4, 5), generator=chance)
    valid = torch.rand(2, 1, 4, 5, generator=chance) < 0.7
    return logits, one_hot if exclusive else free, valid


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.float32], ids=str)
def test_what_does_not_count_changes_nothing_and_has_no_gradient(
    loss: Loss, exclusive: bool, kind: torch.dtype
) -> None:
    logits, target, valid = example(exclusive=exclusive)
    valid = valid.to(kind)
    odd_logits = torch.where(valid != 0, logits, float("nan")).requires_grad_()
    odd_target = torch.where(valid != 0, target, 255)
    expected = loss(logits, target, valid, exclusive=exclusive)
    found = loss(odd_logits, odd_target, valid, exclusive=exclusive)
    assert found.dtype == torch.float32
    assert found.shape == ()
    assert found.item() == expected.item()
    found.backward()
    assert odd_logits.grad is not None
    outside = (valid == 0).expand_as(logits)
    assert (odd_logits.grad[outside] == 0).all()
    assert torch.isfinite(odd_logits.grad).all()
    assert (odd_logits.grad[~outside] != 0).any()


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
def test_a_batch_in_which_nothing_counts_has_a_finite_loss_and_no_gradient(
    loss: Loss, exclusive: bool
) -> None:
    logits, target, valid = example(exclusive=exclusive)
    logits.requires_grad_()
    found = loss(logits, target, torch.zeros_like(valid), exclusive=exclusive)
    found.backward()
    assert torch.isfinite(found)
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
def test_all_valid_is_the_same_as_no_valid_area(loss: Loss, exclusive: bool) -> None:
    logits, target, valid = example(exclusive=exclusive)
    found = loss(logits, target, torch.ones_like(valid), exclusive=exclusive)
    torch.testing.assert_close(found, loss(logits, target, exclusive=exclusive))


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
def test_half_precision_logits_are_judged_in_float32(loss: Loss, exclusive: bool) -> None:
    logits, target, valid = example(exclusive=exclusive)
    short = logits.to(torch.bfloat16)
    found = loss(short, target, valid, exclusive=exclusive)
    assert found.dtype == torch.float32
    assert found.item() == loss(short.float(), target, valid, exclusive=exclusive).item()


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_logits_stay_finite(loss: Loss, exclusive: bool, size: float) -> None:
    logits, target, valid = example(exclusive=exclusive)
    far = (logits.sign() * size).requires_grad_()
    found = loss(far, target, valid, exclusive=exclusive)
    found.backward()
    assert torch.isfinite(found)
    assert far.grad is not None
    assert torch.isfinite(far.grad).all()


@pytest.mark.parametrize("loss", [Bce(), Mse(), L1(), Charbonnier(), Focal(alpha=0.5)], ids=str)
def test_a_loss_of_single_outputs_refuses_exclusive_classes(loss: Loss) -> None:
    logits, target, _ = example(exclusive=True)
    with pytest.raises(RecipeError, match="multiclass"):
        loss(logits, target, exclusive=True)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="target is"):
        Bce()(torch.zeros(1, 2, 3, 3), torch.zeros(1, 1, 3, 3), exclusive=False)


def test_every_loss_of_the_folder_is_an_option() -> None:
    members = set(get_args(get_args(AnyLoss)[0]))
    found = set()
    for module in pkgutil.iter_modules(face.__path__):
        home = importlib.import_module(f"{face.__name__}.{module.name}")
        found |= {
            value
            for value in vars(home).values()
            if isinstance(value, type) and issubclass(value, Loss) and "kind" in value.model_fields
        }
    assert members == found


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
def test_a_loss_survives_the_way_through_json(loss: Loss, exclusive: bool) -> None:
    adapter = TypeAdapter(AnyLoss)
    assert adapter.validate_json(adapter.dump_json(loss)) == loss


@pytest.mark.parametrize(("loss", "exclusive"), CASES, ids=str)
def test_a_volume_is_judged_as_its_pixels_in_a_plane(loss: Loss, exclusive: bool) -> None:
    """Formulas of these losses know no neighbours: (Z, Y, X) is (Z, Y X)."""
    flat = example(exclusive=exclusive)
    deep = [part.unflatten(2, (2, 2)).movedim(2, 3) for part in flat]
    plane = [part.flatten(3) for part in deep]
    assert deep[0].shape == (2, 3, 2, 2, 5)
    torch.testing.assert_close(
        loss(*deep, exclusive=exclusive), loss(*plane, exclusive=exclusive), rtol=1e-5, atol=1e-6
    )


def test_losses_of_volumes_are_their_formulas() -> None:
    chance = torch.Generator().manual_seed(5)
    logits = torch.randn(2, 3, 3, 4, 5, generator=chance).double()
    ids = torch.randint(0, 3, (2, 3, 4, 5), generator=chance)
    one_hot = torch.nn.functional.one_hot(ids, 3).movedim(-1, 1).double()
    p = logits.sigmoid()
    bce = -(one_hot * p.log() + (1 - one_hot) * (1 - p).log()).mean()
    found = Bce()(logits, one_hot, exclusive=False)
    assert found.item() == pytest.approx(bce.item(), rel=1e-5)
    found = CrossEntropy()(logits, one_hot, exclusive=True)
    reference = torch.nn.functional.cross_entropy(logits, ids)
    assert found.item() == pytest.approx(reference.item(), rel=1e-5)
    space = (0, 2, 3, 4)
    dice = 2 * (p * one_hot).sum(space) / (p.sum(space) + one_hot.sum(space))
    found = Dice(over="batch")(logits, one_hot, exclusive=False)
    assert found.item() == pytest.approx(1 - dice.mean().item(), rel=1e-5)
    each = 2 * (p * one_hot).sum((2, 3, 4)) / (p.sum((2, 3, 4)) + one_hot.sum((2, 3, 4)))
    found = Dice(over="image_class")(logits, one_hot, exclusive=False)
    assert found.item() == pytest.approx(1 - each.mean().item(), rel=1e-5)
    found = Mse()(logits, one_hot, exclusive=False)
    assert found.item() == pytest.approx(((logits - one_hot) ** 2).mean().item(), rel=1e-5)
