"""Lovász losses against set functions: their differences, their integral, and every order."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from lamina.errors import RecipeError
from lamina.model.losses.lovasz import Lovasz, jaccard_steps

CHANCE = torch.Generator().manual_seed(5)
LOGITS = torch.randn(2, 3, 4, 5, generator=CHANCE) * 2
TARGET = torch.randint(0, 2, (2, 3, 4, 5), generator=CHANCE).float()
TARGET[0, 2] = 0  # a class without pixels
VALID = torch.rand(2, 1, 4, 5, generator=CHANCE) < 0.6


def jaccard_loss(truth: list[bool], wrong: set[int]) -> float:
    """1 - J where the answer differs from ``truth`` at the pixels of ``wrong``."""
    true = {i for i, on in enumerate(truth) if on}
    union = true | wrong
    return 1 - len(true - wrong) / len(union) if union else 0.0


def by_differences(errors: list[float], truth: list[bool]) -> float:
    """The definition of Berman et al. 2018, equation 8, with sets for sets."""
    order = sorted(range(len(errors)), key=lambda i: -errors[i])
    total, wrong = 0.0, set[int]()
    for i in order:
        before = jaccard_loss(truth, wrong)
        wrong = wrong | {i}
        total += errors[i] * (jaccard_loss(truth, wrong) - before)
    return total


def by_every_order(errors: list[float], truth: list[bool]) -> float:
    """The convex closure of a submodular function: the largest value over all orders."""
    values = []
    for order in itertools.permutations(range(len(errors))):
        steps = [
            jaccard_loss(truth, set(order[: n + 1])) - jaccard_loss(truth, set(order[:n]))
            for n in range(len(order))
        ]
        values.append(sum(errors[i] * step for i, step in zip(order, steps, strict=True)))
    return max(values)


def by_thresholds(errors: list[float], truth: list[bool]) -> float:
    """The integral over all thresholds of the loss of the pixels with a larger error."""
    ends = [0.0, *sorted(errors)]
    return math.fsum(
        (high - low) * jaccard_loss(truth, {i for i, e in enumerate(errors) if e >= high})
        for low, high in itertools.pairwise(ends)
    )


def hinge(logits: Tensor, truth: Tensor) -> list[float]:
    signs = 2 * truth - 1
    return (1 - logits * signs).clamp(min=0).double().tolist()


def distance(logits: Tensor, truth: Tensor) -> list[float]:
    return (truth - logits.sigmoid()).abs().double().tolist()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("errors", ["hinge", "probability"])
def test_on_few_pixels_it_is_the_lovasz_extension_however_computed(seed: int, errors: str) -> None:
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 1, 1, 5, generator=chance)
    target = (torch.rand(1, 1, 1, 5, generator=chance) < (seed % 4) / 3).float()
    loss = Lovasz.model_validate({"errors": errors})
    found = loss(logits, target, exclusive=False).item()
    made = (hinge if errors == "hinge" else distance)(logits.flatten(), target.flatten())
    truth = target.flatten().bool().tolist()
    for direct in (by_differences, by_every_order, by_thresholds):
        assert found == pytest.approx(direct(made, truth), abs=1e-6)


def direct(loss: Lovasz, valid: Tensor | None) -> float:
    """The loss pixel by pixel, from the pixels that count alone."""
    values = []
    for k in range(3):
        groups = [(0,), (1,)] if loss.over == "image_class" else [(0, 1)]
        for images in groups:
            keep = [
                torch.ones(20).bool() if valid is None else valid[b, 0].flatten() for b in images
            ]
            x = torch.cat([LOGITS[b, k].flatten()[n] for b, n in zip(images, keep, strict=True)])
            t = torch.cat([TARGET[b, k].flatten()[n] for b, n in zip(images, keep, strict=True)])
            made = hinge if loss.errors == "hinge" else distance
            value = by_differences(made(x, t), t.bool().tolist())
            if loss.symmetric:
                inverted = by_differences(made(-x, 1 - t), (1 - t).bool().tolist())
                value = (value + inverted) / 2
            values.append(value)
    return sum(values) / len(values)


@pytest.mark.parametrize("errors", ["hinge", "probability"])
@pytest.mark.parametrize("over", ["batch", "image_class"])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("valid", [None, VALID], ids=["all", "some"])
def test_batches_agree_with_the_slow_twin_of_the_published_forms(
    errors: str, over: str, symmetric: bool, valid: Tensor | None
) -> None:
    """SIIM-14: hinge, symmetric as (L(x, t) + L(-x, 1 - t)) / 2; sigmoid; only what counts."""
    loss = Lovasz.model_validate({"errors": errors, "over": over, "symmetric": symmetric})
    found = loss(LOGITS, TARGET, valid, exclusive=False)
    assert found.item() == pytest.approx(direct(loss, valid), rel=1e-5)


def test_sure_answers_cost_the_jaccard_loss_itself() -> None:
    answer = (LOGITS > 0).float()
    found = Lovasz(errors="probability")((2 * answer - 1) * 1e4, TARGET, exclusive=False)
    both, either = (answer * TARGET).sum((2, 3)), torch.maximum(answer, TARGET).sum((2, 3))
    torch.testing.assert_close(found, (1 - both / either).mean())


def test_exclusive_classes_use_softmax_and_refuse_the_hinge() -> None:
    ids = torch.arange(40).view(2, 4, 5) % 3
    one_hot = torch.nn.functional.one_hot(ids, 3).movedim(-1, 1).float()
    found = Lovasz(errors="probability", over="batch")(LOGITS, one_hot, exclusive=True)
    errors = (one_hot - LOGITS.softmax(1)).abs().transpose(0, 1).flatten(1)
    truth = one_hot.transpose(0, 1).flatten(1).bool()
    expected = [by_differences(errors[k].tolist(), truth[k].tolist()) for k in range(3)]
    assert found.item() == pytest.approx(sum(expected) / 3, rel=1e-5)
    with pytest.raises(RecipeError, match="errors: probability"):
        Lovasz()(LOGITS, one_hot, exclusive=True)


def test_the_gradient_is_that_of_the_slow_twin() -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = Lovasz(errors="hinge", over="image_class", symmetric=True)
    loss(logits, TARGET, VALID, exclusive=False).backward()
    assert logits.grad is not None
    step = 1e-2
    for place in [(0, 0, 1, 2), (1, 1, 3, 4), (1, 2, 0, 0), (0, 2, 2, 2)]:
        ends = []
        for sign in (1, -1):
            moved = LOGITS.clone().double()
            moved[place] += sign * step
            ends.append(loss(moved, TARGET, VALID, exclusive=False).item())
        slope = (ends[0] - ends[1]) / (2 * step)
        assert logits.grad[place].item() == pytest.approx(slope, abs=2e-3)


def test_steps_keep_their_digits_over_a_million_pixels() -> None:
    truth = torch.rand(1, 1_000_000, generator=CHANCE) < 0.01
    true, false = truth.double().cumsum(1), (~truth).double().cumsum(1)
    whole = truth.sum()
    losses = 1 - (whole - true) / (whole + false)
    expected = torch.diff(losses, prepend=torch.zeros(1, 1, dtype=torch.double))
    found = jaccard_steps(truth)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-15)
    assert found.double().sum().item() == pytest.approx(1, abs=1e-6)
