"""Soft Jaccard by hand and against segmentation_models_pytorch."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from lamina.model.losses.jaccard import Jaccard


def test_by_hand_with_the_published_smoothing() -> None:
    """SIIM-14."""
    logits = torch.tensor([0.0, math.log(3.0)]).view(1, 1, 1, 2)  # p = 1/2, 3/4
    target = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    found = Jaccard()(logits, target, exclusive=False)
    assert found.item() == pytest.approx(1 - (0.5 + 1e-3) / (1.75 + 1e-3))


def test_agrees_with_segmentation_models_pytorch() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from segmentation_models_pytorch.losses import JaccardLoss

    chance = torch.Generator().manual_seed(6)
    logits = torch.randn(2, 3, 6, 6, generator=chance)
    target = torch.randint(0, 2, (2, 3, 6, 6), generator=chance).float()
    expected = JaccardLoss("multilabel", smooth=0.5)(logits, target)
    found = Jaccard(smooth=0.5)(logits, target, exclusive=False)
    torch.testing.assert_close(found, expected)
