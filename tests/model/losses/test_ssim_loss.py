"""The loss of structural similarity against the metric, and by its properties."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.errors import RecipeError
from lamina.geometry.similarity import similarity
from lamina.model.losses import Ssim

Window = Literal["uniform", "gaussian"]


def images(*shape: int, offset: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return a smooth target and an answer near it."""
    chance = np.random.default_rng(4)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    target = 0.5 + 0.4 * np.sin(x / 5 + y / 9) + offset + 0 * chance.random(shape)
    answer = target + 0.1 * chance.standard_normal(shape)
    return torch.from_numpy(answer).float(), torch.from_numpy(target).float()


def plane(image: Tensor) -> NDArray[np.float32]:
    return np.asarray(image.numpy())


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("sample", [True, False])
@pytest.mark.parametrize(("span", "offset"), [(1.0, 0.0), (2.0, 30.0), (255.0, 120.0)])
def test_it_is_one_less_the_metric(
    window: Window, sample: bool, span: float, offset: float
) -> None:
    answer, target = images(2, 2, 40, 33, offset=offset)
    answer, target = answer * span, target * span
    loss = Ssim(window=window, sample=sample, span=span)
    values = []
    for b in range(2):
        for k in range(2):
            a, t = plane(answer[b, k]), plane(target[b, k])
            whole, count = similarity(a, t, span=span, window=window, sample=sample)
            values.append(whole / count)
    found = loss(answer, target, exclusive=False).item()
    assert found == pytest.approx(1 - np.mean(values), abs=1e-5)
    assert 0 < found < 1


def test_equal_images_have_a_loss_of_zero_and_no_gradient() -> None:
    _, target = images(1, 1, 20, 20)
    answer = target.clone().requires_grad_()
    found = Ssim()(answer, target, exclusive=False)
    found.backward()
    assert found.item() == pytest.approx(0, abs=1e-6)
    assert answer.grad is not None
    assert answer.grad.abs().max() < 1e-5


def test_the_gradient_is_that_of_finite_differences() -> None:
    answer, target = images(1, 1, 12, 12)
    answer.requires_grad_()
    loss = Ssim(window="gaussian")
    loss(answer, target, exclusive=False).backward()
    assert answer.grad is not None
    step = 5e-3
    for row, column in ((6, 6), (0, 3), (11, 11)):
        moved = []
        for sign in (1, -1):
            other = answer.detach().clone()
            other[0, 0, row, column] += sign * step
            moved.append(loss(other, target, exclusive=False).item())
        expected = (moved[0] - moved[1]) / (2 * step)
        assert answer.grad[0, 0, row, column].item() == pytest.approx(expected, rel=0.05, abs=2e-5)


def test_only_windows_whose_pixels_all_count_are_compared() -> None:
    """NOISE-7: what is added below and to the right has no part in the loss."""
    answer, target = images(1, 1, 30, 26)
    expected = Ssim()(answer, target, exclusive=False)
    wide, truth = (torch.full((1, 1, 32, 32), float("nan")) for _ in range(2))
    wide[..., :30, :26], truth[..., :30, :26] = answer, target
    valid = torch.zeros(1, 1, 32, 32)
    valid[..., :30, :26] = 1
    wide.requires_grad_()
    found = Ssim()(wide, truth, valid, exclusive=False)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    found.backward()
    assert wide.grad is not None
    assert torch.isfinite(wide.grad).all()
    assert not wide.grad[valid == 0].any()
    nothing = Ssim()(wide, truth, 0 * valid, exclusive=False)
    nothing.backward()
    assert nothing.item() == 0


def test_half_precision_is_judged_in_float32() -> None:
    answer, target = images(1, 1, 16, 16)
    short = answer.to(torch.bfloat16)
    found = Ssim()(short, target, exclusive=False)
    assert found.dtype == torch.float32
    assert found.item() == Ssim()(short.float(), target, exclusive=False).item()


def test_what_it_cannot_judge_is_refused() -> None:
    answer, target = images(1, 2, 10, 40)
    with pytest.raises(RecipeError, match="gaussian window of 11"):
        Ssim(window="gaussian")(answer, target, exclusive=False)
    with pytest.raises(RecipeError, match="multiclass"):
        Ssim()(answer, target, exclusive=True)
