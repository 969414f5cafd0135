"""Stems by hand, and the law of each rule."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lamina.errors import OptionError, RecipeError
from lamina.model.networks import Smp
from lamina.model.stems import Stem, adapt

RGB = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("stem", "inputs", "expected"),
    [
        ("sum", 1, [9.0]),
        ("sum", 2, [4.5, 4.5]),
        ("mean", 1, [3.0]),
        ("mean", 2, [3.0, 3.0]),
        ("r", 1, [1.0]),
        ("g", 1, [2.0]),
        ("b", 2, [6.0, 6.0]),
        ("rg", 2, [1.0, 2.0]),
        ("bgr", 3, [6.0, 2.0, 1.0]),  # letters are planes for three channels too
        ("g", 3, [2.0, 2.0, 2.0]),
        ("sum", 3, [1.0, 2.0, 6.0]),  # three channels take the planes as they are
        ("cyclic", 3, [1.0, 2.0, 6.0]),
        ("bbrg", 4, [6.0, 6.0, 1.0, 2.0]),
        ("cyclic", 1, [9.0]),
        ("cyclic", 2, [1.5, 3.0]),
        ("cyclic", 4, [0.75, 1.5, 4.5, 0.75]),
        ("mean", 3, [1.0, 2.0, 6.0]),
    ],
)
def test_by_hand(stem: Stem, inputs: int, expected: list[float]) -> None:
    assert adapt(RGB, inputs, stem).flatten().tolist() == expected


def test_sum_answers_a_grey_image_as_if_it_were_stored_three_times() -> None:
    chance = torch.Generator().manual_seed(9)
    weight = torch.randn(5, 3, 3, 3, generator=chance)
    grey = torch.randn(1, 1, 8, 8, generator=chance)
    expected = functional.conv2d(grey.repeat(1, 3, 1, 1), weight)
    for inputs in (1, 2, 5):
        image = grey.repeat(1, inputs, 1, 1)
        found = functional.conv2d(image, adapt(weight, inputs, "sum"))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inputs", [1, 2, 4, 7])
def test_cyclic_agrees_with_the_model_library(inputs: int) -> None:
    """INK-17: 1 channel is the sum of the planes, n > 1 repeat them cyclically times 3 / n."""
    from segmentation_models_pytorch.encoders._utils import patch_first_conv

    conv = torch.nn.Conv2d(3, 4, 3)
    expected = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    expected[0].weight.data = conv.weight.data.clone()
    patch_first_conv(expected, inputs, pretrained=True)
    torch.testing.assert_close(adapt(conv.weight, inputs, "cyclic"), expected[0].weight)


def test_letters_are_as_many_as_channels_and_no_others() -> None:
    with pytest.raises(RecipeError, match=r"network\.stem is 'rg', 2 planes .* of 4 channels"):
        adapt(RGB, 4, "rg")
    for stem in ("x", "", "rgx", "sums"):
        with pytest.raises(OptionError, match="it must be sum, mean, cyclic"):
            Smp(stem=stem)


def test_weights_for_other_than_three_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="no stem"):
        adapt(torch.zeros(4, 1, 3, 3), 2, "sum")
