"""Weights and inputs lie as the norm wants it, and outputs stay what they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lamina.model.memory_layout import laid_out, lay_out, layout_of
from lamina.model.networks import Resunet

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
