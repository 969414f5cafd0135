"""The moving average against its formula."""

from __future__ import annotations

import pytest
import torch

from lamina.recipe.stage import Ema
from lamina.training.stage.ema import Average


def weight_of(network: torch.nn.Linear) -> float:
    return float(network.weight.detach().squeeze())


def test_the_average_follows_the_formula_with_warm_up() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = Average(Ema(decay=0.9, warmup=True), network)
    expected = 1.0
    for n, value in enumerate([2.0, 3.0, 5.0], start=1):
        torch.nn.init.constant_(network.weight, value)
        average.update(network, steps_per_epoch=7)
        decay = min(0.9, (1 + n) / (10 + n))  # NOISE-13
        expected = decay * expected + (1 - decay) * value
    assert float(average.tensors["weight"].squeeze()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_a_decay_per_epoch_reaches_as_far_back_for_any_number_of_steps(steps: int) -> None:
    """NOISE-13: 0.3^(1/n) at each of n steps."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = Average(Ema(decay=0.3, per="epoch", warmup=False), network)
    torch.nn.init.constant_(network.weight, 0.0)
    for _ in range(steps):
        average.update(network, steps_per_epoch=steps)
    assert float(average.tensors["weight"].squeeze()) == pytest.approx(0.3, rel=1e-5)


def test_the_warm_up_holds_for_a_decay_per_epoch_too() -> None:
    """NOISE-13: min(d, (1 + n) / (10 + n)), d of a step; the first update keeps 2/11."""
    network = torch.nn.Linear(1, 1)
    average = Average(Ema(decay=0.3, per="epoch"), network)
    found = []
    for _ in range(400):
        found.append(float(average.decay(50)))
        average.update(network, steps_per_epoch=50)
    d = 0.3 ** (1 / 50)
    assert found == pytest.approx([min(d, (1 + n) / (10 + n)) for n in range(1, 401)])
    assert found[0] == pytest.approx(2 / 11)
    assert found[-1] == pytest.approx(d)


def test_batch_statistics_are_not_averaged() -> None:
    """NOISE-13: parameters only."""
    network = torch.nn.BatchNorm2d(2)
    average = Average(Ema(), network)
    assert set(average.tensors) == {"weight", "bias"}
    network(torch.rand(3, 2, 4, 4))
    own = network.state_dict()["running_mean"].clone()
    with average.applied(network):
        assert torch.equal(network.state_dict()["running_mean"], own)


def test_weights_are_lent_and_given_back_even_after_an_error() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = Average(Ema(decay=0.5, warmup=False), network)
    torch.nn.init.constant_(network.weight, 3.0)
    average.update(network, steps_per_epoch=7)
    seen = []

    def fail() -> None:
        with average.applied(network):
            seen.append(weight_of(network))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [2.0]
    assert weight_of(network) == 3.0
