"""Weights and inputs lie as the norm wants it, and outputs stay what they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import init

from lamina.model.memory_layout import WithoutRandomStart, laid_out, lay_out, layout_of
from lamina.model.networks import Network, QuarterUnet, Resunet, Smp

LAST = torch.channels_last_3d


@pytest.mark.parametrize(
    ("norm", "layout"),
    [("group", LAST), ("batch", LAST), ("instance", torch.contiguous_format)],
)
def test_volumes_lie_by_their_norm(norm: str, layout: torch.memory_format) -> None:
    option = Resunet(width=8, blocks=(1, 1)).model_copy(update={"norm": norm})
    network = option.suited((8, 16, 16)).build(2, 2).eval()
    x = torch.randn(2, 2, 8, 16, 16)
    expected = network(x)
    assert lay_out(network) is network
    weight = network.get_parameter("down.1.0.one.0.weight")
    assert weight.is_contiguous(memory_format=layout)
    assert layout_of(network, 5) == layout
    seen = laid_out(network, x)
    assert seen.is_contiguous(memory_format=layout)
    torch.testing.assert_close(network(seen), expected, rtol=1e-5, atol=1e-5)


def test_images_lie_with_channels_last_whatever_the_norm() -> None:
    network = Resunet(width=4, blocks=(1, 1)).suited((16, 16)).build(2, 1)
    assert layout_of(network, 4) == torch.channels_last
    seen = laid_out(network, torch.zeros(2, 3, 4, 5))
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_instance_norms_of_torch_count_too() -> None:
    network = nn.Sequential(nn.Conv3d(2, 4, 3), nn.InstanceNorm3d(4))
    assert layout_of(network, 5) == torch.contiguous_format


DRAWS: list[Callable[[Tensor], object]] = [
    init.uniform_,
    init.normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.xavier_uniform_,
    init.xavier_normal_,
    lambda tensor: tensor.normal_(),
    lambda tensor: tensor.uniform_(0, 1),
]


@pytest.mark.parametrize("draw", DRAWS)
def test_parameters_stay_as_they_are(draw: Callable[[Tensor], object]) -> None:
    weight = nn.Parameter(torch.full((4, 3), 7.0), requires_grad=False)
    other = torch.full((4, 3), 7.0)
    before = torch.get_rng_state()
    with WithoutRandomStart():
        draw(weight)
        assert torch.equal(torch.get_rng_state(), before)
        draw(other)
    assert (weight == 7).all()
    assert (other != 7).all()
    draw(weight)
    assert (weight != 7).all()


def test_rejection_comes_to_an_end_and_constants_are_set() -> None:
    weight = nn.Parameter(torch.full((64, 64), 7.0))
    with WithoutRandomStart():
        init.trunc_normal_(weight, std=0.02)
        assert weight.abs().max() <= 2
        init.orthogonal_(weight)
        init.constant_(weight, 3)
    assert (weight == 3).all()


@pytest.mark.parametrize(
    "option",
    [
        Smp(encoder="resnet18", prior=0.1),
        Resunet(width=4, blocks=(1, 1)).suited((32, 32)),
        QuarterUnet(encoder="convnextv2_atto"),
    ],
)
def test_a_network_that_is_filled_is_the_one_that_was_drawn(option: Network) -> None:
    torch.manual_seed(3)
    drawn = option.build(3, 2).eval()
    with WithoutRandomStart():
        built = option.build(3, 2).eval()
    built.load_state_dict(drawn.state_dict())
    stored, filled = dict(drawn.named_buffers()), dict(built.named_buffers())
    assert all(torch.equal(filled[name], value) for name, value in stored.items())
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(built(image), drawn(image))
