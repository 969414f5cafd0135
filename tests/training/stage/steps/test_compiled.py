"""A compiled network trains as the network itself, and gives way to it where compiling fails."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina.training.run import train
from lamina.training.stage.steps.compiled import CompiledNetwork
from tests.factories.discs import discs, quick


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1)
    ).train()


def some(samples: int) -> Tensor:
    return torch.randn(samples, 1, 8, 8, generator=torch.Generator().manual_seed(samples))


def trained(forward: Any, network: nn.Module, batches: list[Tensor]) -> dict[str, Tensor]:
    for batch in batches:
        forward(batch).square().mean().backward()
    found = dict(network.state_dict())
    for name, value in network.named_parameters():
        assert value.grad is not None
        found[f"{name}.grad"] = value.grad
    return found


def assert_trains_alike(backend: str) -> None:
    network = a_network()
    plain = copy.deepcopy(network)
    batches = [some(4), some(4), some(3), some(2)]
    wanted = trained(plain, plain, batches)
    compiled = CompiledNetwork(network, "fold 0 main", backend=backend)
    found = trained(compiled, network, batches)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


def test_gradients_statistics_and_names_are_those_of_the_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trying it leaves nothing behind, and only two shapes are compiled."""
    assert_trains_alike("aot_eager")
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" in ")[0] for line in said] == [
        "fold 0 main: compiled for batches of 4 x 1 x 8 x 8",
        "fold 0 main: compiled for batches of 3 x 1 x 8 x 8",
    ]


def test_trying_it_draws_nothing_of_the_chance_of_a_batch() -> None:
    """Else a run that goes on in the middle, and tries it there, would drop others."""
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Dropout(0.5)).train()
    states = []
    for forward in (network, CompiledNetwork(network, "fold 0 main", backend="aot_eager")):
        torch.manual_seed(5)
        forward(some(4))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_what_cannot_be_compiled_is_trained_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no compiler here\nwith a long story")

    network = a_network()
    plain = copy.deepcopy(network)
    batches = [some(4), some(3), some(4)]
    wanted = trained(plain, plain, batches)
    found = trained(CompiledNetwork(network, "fold 0 main", backend=fails), network, batches)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("fold 0 main: cannot be compiled, and is trained as it is: ")
    assert "no compiler here" in said[0]


@pytest.mark.slow
def test_inductor_trains_alike() -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("no C++ compiler here: inductor is not tested")
    assert_trains_alike("inductor")


@pytest.mark.slow
def test_a_run_with_compile_leaves_weights_like_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("no C++ compiler here: inductor is not tested")
    data = discs(tmp_path / "data", count=4)
    weights = []
    for name in ("false", "true"):
        changes = ("train.epochs=1", "precision=float32", f"train.compile={name}")
        recipe = quick(tmp_path, *changes, "train.optimizer={kind: sgd, lr: 0.001}")
        train(recipe, data=data, out=tmp_path / name, folds=[0])
        (path,) = (tmp_path / name).rglob("epoch*.safetensors")
        weights.append(load_file(path))
    assert set(weights[0]) == set(weights[1])
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-3, atol=1e-4)
    assert capsys.readouterr().err.count("main: compiled for batches of") == 1
