"""Cross-entropy by hand and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from lamina.errors import RecipeError
from lamina.model.losses.cross_entropy import CrossEntropy

CHANCE = torch.Generator().manual_seed(2)
LOGITS = torch.randn(2, 3, 4, 4, generator=CHANCE)
IDS = torch.randint(0, 3, (2, 4, 4), generator=CHANCE)
TARGET = functional.one_hot(IDS, 3).movedim(-1, 1)


def test_by_hand() -> None:
    logits = torch.tensor([math.log(1.0), math.log(3.0)]).view(1, 2, 1, 1)  # 1/4, 3/4
    target = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    found = CrossEntropy()(logits, target, exclusive=True)
    assert found.item() == pytest.approx(math.log(4 / 3))


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 4.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_agrees_with_torch_where_some_pixels_are_ignored(
    weights: tuple[float, ...] | None, smoothing: float
) -> None:
    valid = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(5)) < 0.6
    expected = functional.cross_entropy(
        LOGITS,
        torch.where(valid[:, 0], IDS, 255),
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=255,
        label_smoothing=smoothing,
    )
    loss = CrossEntropy(class_weights=weights, smoothing=smoothing)
    torch.testing.assert_close(loss(LOGITS, TARGET, valid, exclusive=True), expected)


def test_outputs_that_stand_alone_are_refused() -> None:
    with pytest.raises(RecipeError, match="use bce"):
        CrossEntropy()(LOGITS, TARGET, exclusive=False)


def test_a_wrong_number_of_weights_is_refused() -> None:
    with pytest.raises(RecipeError, match="1 weights, but the task has 3 classes"):
        CrossEntropy(class_weights=(1.0,))(LOGITS, TARGET, exclusive=True)
