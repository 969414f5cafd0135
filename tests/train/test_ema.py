"""The moving average against its formula."""

from __future__ import annotations

import pytest
import torch

from lamina.recipe.stage import Ema
from lamina.train.ema import Average


def weight_of(network: torch.nn.Linear) -> float:
    return float(network.weight.detach().squeeze())


def test_the_average_follows_the_formula_with_warm_up() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = Average(Ema(decay=0.9, warmup=True), network)
    expected = 1.0
    for step, value in enumerate([2.0, 3.0, 5.0]):
        torch.nn.init.constant_(network.weight, value)
        average.update(network)
        decay = min(0.9, (1 + step) / (10 + step))  # NOISE-13
        expected = decay * expected + (1 - decay) * value
    assert float(average.tensors["weight"].squeeze()) == pytest.approx(expected, rel=1e-6)


def test_weights_are_lent_and_given_back_even_after_an_error() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = Average(Ema(decay=0.5, warmup=False), network)
    torch.nn.init.constant_(network.weight, 3.0)
    average.update(network)
    seen = []

    def fail() -> None:
        with average.applied(network):
            seen.append(weight_of(network))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [2.0]
    assert weight_of(network) == 3.0
