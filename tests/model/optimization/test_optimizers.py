"""Every parameter in exactly one group, with its rate; steps as torch takes them."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn, optim

from lamina.errors import OptionError
from lamina.model.optimization.optimizers import Adam, AdamW, AnyOptimizer, Optimizer, RAdam, Sgd


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.decoder = nn.Conv2d(2, 2, 3)
        self.segmentation_head = nn.Conv2d(2, 1, 1)


def names(network: nn.Module, optimizer: Optimizer) -> dict[str, list[str]]:
    by_id = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = optimizer.groups(network)
    return {group["name"]: [by_id[id(p)] for p in group["params"]] for group in groups}


def test_groups_by_hand() -> None:
    assert names(Net(), AdamW()) == {
        "encoder_weights": ["encoder.0.weight"],
        "decoder_weights": ["decoder.weight", "segmentation_head.weight"],
        "encoder_biases": ["encoder.0.bias", "encoder.1.weight", "encoder.1.bias"],
        "decoder_biases": ["decoder.bias", "segmentation_head.bias"],
    }


def test_the_published_rates_and_decays() -> None:
    """STEEL-14."""
    steel = RAdam(lr=3e-3, weight_decay=3e-4, encoder_lr=7e-5, encoder_weight_decay=3e-5)
    rates = {g["name"]: (g["lr"], g["weight_decay"]) for g in steel.groups(Net())}
    assert rates == {
        "encoder_weights": (7e-5, 3e-5),
        "decoder_weights": (3e-3, 3e-4),
        "encoder_biases": (7e-5, 3e-5),
        "decoder_biases": (3e-3, 3e-4),
    }
    built = steel.build(Net())
    assert [group["initial_lr"] for group in built.param_groups] == [7e-5, 3e-3, 7e-5, 3e-3]


def test_biases_may_be_left_undecayed() -> None:
    groups = AdamW(decay_bias=False).groups(Net())
    assert [group["weight_decay"] for group in groups] == [0.01, 0.01, 0.0, 0.0]


def test_empty_groups_are_left_out_and_frozen_parameters_are_kept() -> None:
    network = nn.Linear(2, 1, bias=False).requires_grad_(False)
    assert names(network, AdamW()) == {"decoder_weights": ["weight"]}


@pytest.mark.parametrize(
    ("mine", "reference"),
    [
        (
            Sgd(lr=0.1, nesterov=True, weight_decay=0.1),
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        ),
        (
            Adam(lr=0.1, betas=(0.8, 0.9), weight_decay=0.1),
            lambda p: optim.Adam(p, lr=0.1, betas=(0.8, 0.9), weight_decay=0.1),
        ),
        (
            AdamW(lr=0.1, eps=1e-3, weight_decay=0.1),
            lambda p: optim.AdamW(p, lr=0.1, eps=1e-3, weight_decay=0.1),
        ),
        (
            RAdam(lr=0.1, weight_decay=0.1),
            lambda p: optim.RAdam(p, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
        ),
    ],
    ids=["sgd", "adam", "adamw", "radam"],
)
def test_steps_agree_with_torch(mine: Optimizer, reference: object) -> None:
    ends = []
    for make in (mine.build, lambda network: reference(network.parameters())):  # type: ignore[operator]
        network = Net()
        with torch.no_grad():
            for i, parameter in enumerate(network.parameters()):
                parameter.fill_(0.1 * (i + 1))
        optimizer = make(network)
        for step in range(8):
            for parameter in network.parameters():
                parameter.grad = torch.full_like(parameter, 0.3 * (-1) ** step + 0.1)
            optimizer.step()
        ends.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-7)  # fused kernels round apart


@pytest.mark.parametrize(
    "optimizer", [Sgd(), Adam(), AdamW(lr=2e-4), RAdam(encoder_lr=0.0)], ids=str
)
def test_an_optimizer_survives_the_way_through_json(optimizer: Optimizer) -> None:
    adapter = TypeAdapter(AnyOptimizer)
    assert adapter.validate_json(adapter.dump_json(optimizer)) == optimizer


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(OptionError, match="momentum above 0"):
        Sgd(momentum=0, nesterov=True)
