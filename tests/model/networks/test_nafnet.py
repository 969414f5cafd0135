"""NAFNet: the published parameters, and its block against a plain copy."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn
from torch.nn import functional

from lamina.errors import OptionError
from lamina.model.modules.nafnet import Block, LayerNorm2d
from lamina.model.networks import AnyNetwork, Nafnet

SMALL = Nafnet(width=4, down=(1, 0, 2), middle=1, up=(0, 1, 1))
DEBLUR = {"down": (1, 1, 1, 28), "middle": 1, "up": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("option", "millions"),
    [
        (Nafnet(), 29.16),
        (Nafnet(width=64), 115.98),
        (Nafnet(**DEBLUR), 17.11),
        (Nafnet(width=64, **DEBLUR), 67.89),
    ],
    ids=["SIDD-32", "SIDD-64", "GoPro-32", "GoPro-64"],
)
def test_the_parameters_are_those_published(option: Nafnet, millions: float) -> None:
    with torch.device("meta"):
        network = option.build(3, 3)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(
        millions * 1e6, rel=5e-4
    )


def test_a_block_computes_what_the_paper_says() -> None:
    """Chen et al. 2022, figure 3c and equations 4 and 5: no activation but the gate."""
    block, chance = Block(6).double(), torch.Generator().manual_seed(0)
    for parameter in block.parameters():
        nn.init.normal_(parameter, generator=chance)
    x = torch.randn(2, 6, 5, 7, generator=chance).double()
    state = {name: value.detach() for name, value in block.named_parameters()}

    def conv(name: str, y: torch.Tensor, groups: int = 1) -> torch.Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.conv2d(y, weight, bias, padding=weight.shape[-1] // 2, groups=groups)

    def norm(name: str, y: torch.Tensor) -> torch.Tensor:
        spread, mean = torch.var_mean(y, dim=1, correction=0, keepdim=True)
        y = (y - mean) / (spread + 1e-6).sqrt()
        return y * state[f"{name}.weight"].view(-1, 1, 1) + state[f"{name}.bias"].view(-1, 1, 1)

    y = conv("mix", conv("widen", norm("norm", x)), groups=12)
    y = y[:, :6] * y[:, 6:]
    y = y * conv("attention", y.mean((2, 3), keepdim=True))
    y = x + conv("project", y) * state["scale"]
    z = conv("second_widen", norm("second_norm", y))
    expected = y + conv("second_project", z[:, :6] * z[:, 6:]) * state["second_scale"]
    torch.testing.assert_close(block(x), expected)


def test_a_block_starts_as_the_identity_and_keeps_the_layout() -> None:
    x = torch.randn(1, 6, 5, 7).to(memory_format=torch.channels_last)
    found = Block(6)(x)
    assert torch.equal(found, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert LayerNorm2d(6)(x).is_contiguous(memory_format=torch.channels_last)


def test_levels_go_down_and_up_and_every_weight_learns() -> None:
    network = SMALL.build(2, 2)
    for name, parameter in network.named_parameters():
        if name.endswith("scale"):
            nn.init.ones_(parameter)
    answer = network(torch.rand(2, 2, 16, 24))
    assert answer.shape == (2, 2, 16, 24)
    answer.square().sum().backward()
    idle = [name for name, one in network.named_parameters() if one.grad is None]
    assert idle == []
    assert SMALL.multiple == 8


def test_noise_is_taken_from_the_input_by_default() -> None:
    network = SMALL.build(1, 1)
    nn.init.zeros_(network.get_submodule("last").get_parameter("weight"))
    nn.init.zeros_(network.get_submodule("last").get_parameter("bias"))
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(network(image), image)


def test_as_many_levels_up_as_down() -> None:
    with pytest.raises(OptionError, match="down halves 2 times, and up doubles 1 times"):
        Nafnet(down=(1, 1), up=(1,))
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SMALL), strict=True) == SMALL
