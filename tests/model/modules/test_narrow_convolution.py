"""Convolutions in bfloat16 that end in one place along the last axis, against float32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lamina.model.modules.narrow_convolution import exact_where_narrow, is_wrong_here
from lamina.model.networks import VolumeUnet


def check_against_float32(network: nn.Module, image: Tensor) -> None:
    """Compare the answer in bfloat16 and its gradients, each within 3 % of the largest value."""
    wanted = network(image.requires_grad_())
    way = torch.randn_like(wanted)
    leaves = [image, *network.parameters()]
    expected = torch.autograd.grad(wanted, leaves, way)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(image)
    assert found.dtype == torch.bfloat16
    gradients = torch.autograd.grad(found.float(), leaves, way)
    for mine, other in zip((found, *gradients), (wanted, *expected), strict=True):
        scale = other.abs().max()
        torch.testing.assert_close(mine.float() / scale, other / scale, atol=0.03, rtol=0)


@pytest.mark.parametrize("size", [(8, 8, 2), (8, 8, 1), (4, 4, 4), (1, 1, 1)])
@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_answer_and_gradients_are_those_of_float32(
    size: tuple[int, ...], stride: tuple[int, ...], bias: bool
) -> None:
    """pytorch#169688: with AMX all of these are wrong but (4, 4, 4)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(32, 64, 3, stride, padding=1, bias=bias))
    exact_where_narrow(network)
    check_against_float32(network, torch.randn(2, 32, *size))


def test_networks_are_exact_in_small_images_too() -> None:
    torch.manual_seed(0)
    network = VolumeUnet(depth_strides=(1, 1, 1, 1, 1)).build(4, 1).eval()
    image = torch.randn(1, 4, 32, 32)  # the last map is one pixel wide
    with torch.inference_mode():
        expected = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(image)
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)


def test_whether_it_is_wrong_here_follows_from_the_plain_layer() -> None:
    torch.manual_seed(0)
    layer, image = nn.Conv3d(32, 64, 3, 2, 1, bias=False), torch.randn(1, 32, 8, 8, 1)
    state = torch.get_rng_state()
    with torch.inference_mode():
        expected = layer(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = layer(image).float()
    assert is_wrong_here() == (not torch.allclose(found, expected, atol=0.1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel"),
    [
        (1, 12, (1, 3, 3)),
        (12, 12, (1, 3, 3)),
        (24, 24, (1, 3, 3)),
        pytest.param(64, 32, (3, 3, 3), marks=pytest.mark.slow),
    ],
)
def test_large_maps_of_few_channels_are_trained(
    inputs: int, outputs: int, kernel: tuple[int, int, int]
) -> None:
    """With AMX the plain layer writes beyond memory in its gradient, and the process ends."""
    torch.manual_seed(0)
    padding = tuple(n // 2 for n in kernel)
    network = nn.Sequential(nn.Conv3d(inputs, outputs, kernel, padding=padding, bias=False))
    exact_where_narrow(network)
    check_against_float32(network, torch.randn(1, inputs, 4, 96, 96))
