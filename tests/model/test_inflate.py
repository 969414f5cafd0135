"""Inflated layers answer alike slices as the layers of two axes answer one of them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lamina.model.inflate import inflate, inflated
from lamina.model.memory_layout import lay_out


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_a_kernel_is_repeated_along_depth_and_divided() -> None:
    weight = noise(4, 3, 5, 5)
    deep = inflated(weight, 3)
    assert deep.shape == (4, 3, 3, 5, 5)
    torch.testing.assert_close(deep.sum(2), weight)
    assert torch.equal(deep[:, :, 0], deep[:, :, 2])


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False),
        nn.Conv2d(3, 4, 1, stride=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
    ],
    ids=str,
)
@pytest.mark.parametrize("stride", [1, 2])
def test_slices_that_are_alike_answer_as_one_away_from_the_ends(
    layer: nn.Module, stride: int
) -> None:
    layer = copy.deepcopy(layer).eval()  # inflating changes it
    image = noise(2, 4 if getattr(layer, "groups", 1) == 2 else 3, 12, 14)
    with torch.no_grad():
        expected = layer(image)
        found = inflate(layer, stride=stride)(image.unsqueeze(2).repeat(1, 1, 9, 1, 1))
    halved = stride == 2 and expected.shape[-1] < 10
    assert found.shape[2] == (5 if halved else 9)
    torch.testing.assert_close(found[:, :, 2], expected)


def test_a_layer_that_cannot_be_inflated_is_refused() -> None:
    with pytest.raises(ValueError, match="no AdaptiveAvgPool2d"):
        inflate(nn.Sequential(nn.AdaptiveAvgPool2d(1)), stride=1)
    with pytest.raises(ValueError, match="padding by name"):
        inflate(nn.Conv2d(1, 1, 3, padding="same"), stride=1)


def test_weights_of_two_and_three_axes_lie_with_their_channels_last() -> None:
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(2, 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert lay_out(network) is network
    deep, flat = network.get_parameter("0.weight"), network.get_parameter("1.weight")
    assert deep.is_contiguous(memory_format=torch.channels_last_3d)
    assert flat.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
