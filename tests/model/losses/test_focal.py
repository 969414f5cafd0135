"""Focal loss against the published formulas."""

from __future__ import annotations

import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from lamina.model.losses.bce import Bce
from lamina.model.losses.cross_entropy import CrossEntropy
from lamina.model.losses.focal import Focal

CHANCE = torch.Generator().manual_seed(7)
LOGITS = torch.randn(2, 3, 6, 6, generator=CHANCE) * 4
TARGET = torch.randint(0, 2, (2, 3, 6, 6), generator=CHANCE).float()
ONE_HOT = functional.one_hot(torch.randint(0, 3, (2, 6, 6), generator=CHANCE), 3).movedim(-1, 1)


def test_the_default_is_the_published_one() -> None:
    """SIIM-14."""
    p = LOGITS.double().sigmoid().clamp(1e-8, 1 - 1e-8)
    t = TARGET.double().clamp(1e-8, 1 - 1e-8)
    q = (1 - t) * (1 - p) + t * p
    expected = (-((1 - q) ** 2) * q.log()).mean()
    found = Focal()(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)


def test_between_0_and_1_it_is_the_probability_of_the_truth() -> None:
    """SIIM-14: q = t p + (1 - t)(1 - p) whatever t; for 0 and 1 it is cross-entropy, weighted."""
    soft = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(8))
    p, t = LOGITS.double().sigmoid(), soft.double()
    q = t * p + (1 - t) * (1 - p)
    found = Focal()(LOGITS, soft, exclusive=False)
    torch.testing.assert_close(found.double(), ((1 - q) ** 2 * -q.log()).mean(), rtol=1e-5, atol=0)
    entropy = functional.binary_cross_entropy_with_logits(LOGITS, TARGET, reduction="none")
    hard = ((1 - torch.exp(-entropy)) ** 2 * entropy).mean()
    torch.testing.assert_close(Focal()(LOGITS, TARGET, exclusive=False), hard)
    shares = soft / soft.sum(1, keepdim=True)
    q = (shares.double() * LOGITS.double().softmax(1)).sum(1)
    found = Focal()(LOGITS, shares, exclusive=True)
    torch.testing.assert_close(found.double(), ((1 - q) ** 2 * -q.log()).mean(), rtol=1e-5, atol=0)


def test_pixels_without_any_class_have_no_gradient_where_they_do_not_count() -> None:
    logits = LOGITS.clone().requires_grad_()
    valid = torch.ones(2, 1, 6, 6)
    valid[:, :, :3] = 0
    Focal()(logits, ONE_HOT * valid, valid, exclusive=True).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[:, :, :3].any()


def test_alpha_agrees_with_torchvision() -> None:
    expected = sigmoid_focal_loss(LOGITS, TARGET, alpha=0.25, gamma=1.5, reduction="mean")
    found = Focal(alpha=0.25, gamma=1.5)(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found, expected)


def test_the_alpha_of_an_element_weight_is_the_published_one() -> None:
    """INK-18: with the weight w of ink, alpha = w / (1 + w), so that ink counts w times."""
    w = 0.5
    element = torch.where(TARGET == 1, w, 1.0)
    q = torch.where(TARGET == 1, LOGITS.sigmoid(), 1 - LOGITS.sigmoid())
    expected = (element * (1 - q) ** 2 * -q.log()).mean() / (1 + w)
    found = Focal(alpha=w / (1 + w))(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_exclusive_classes_use_the_softmax_probability_of_the_true_class() -> None:
    q = (LOGITS.softmax(1) * ONE_HOT).sum(1)
    expected = ((1 - q) ** 2 * -q.log()).mean()
    torch.testing.assert_close(Focal()(LOGITS, ONE_HOT, exclusive=True), expected)


def test_without_gamma_it_is_cross_entropy() -> None:
    single = Focal(gamma=0)(LOGITS, TARGET, exclusive=False)
    torch.testing.assert_close(single, Bce()(LOGITS, TARGET, exclusive=False))
    several = Focal(gamma=0)(LOGITS, ONE_HOT, exclusive=True)
    torch.testing.assert_close(several, CrossEntropy()(LOGITS, ONE_HOT, exclusive=True))


def test_a_hopeless_pixel_costs_no_more_than_the_clamp() -> None:
    found = Focal(clamp=0.01)(
        torch.full((1, 1, 1, 1), -50.0), torch.ones(1, 1, 1, 1), exclusive=False
    )
    torch.testing.assert_close(found, -torch.tensor(0.01).log())
