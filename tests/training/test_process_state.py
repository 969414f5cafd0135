"""The process is after a training as it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from lamina.errors import RecipeError
from lamina.training.process_state import (
    accelerator_on,
    arithmetic,
    deterministic_algorithms,
    own_accelerator,
    own_random_state,
)
from lamina.training.run import train
from tests.factories.training import tiny

CPU = torch.device("cpu")


def test_the_random_state_is_put_back_even_after_an_error() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)

    def interrupted() -> None:
        with own_random_state(CPU):
            torch.manual_seed(8)
            torch.rand(100)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("before", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("enabled", [False, True])
def test_deterministic_algorithms_are_chosen_for_the_block_only(
    before: tuple[bool, bool], enabled: bool
) -> None:
    def now() -> tuple[bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

    try:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        with deterministic_algorithms(enabled):
            assert now() == (enabled, False)
        assert now() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_products_on_a_gpu_can_be_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's library reads this variable when it begins; torch refuses products without it."""
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.delenv(name, raising=False)
    with deterministic_algorithms(enabled=False):
        assert name not in os.environ
    with deterministic_algorithms(enabled=True):
        assert os.environ[name] == ":4096:8"
    assert name not in os.environ
    monkeypatch.setenv(name, ":16:8")
    with deterministic_algorithms(enabled=True):
        assert os.environ[name] == ":16:8"
    assert os.environ[name] == ":16:8"


def test_a_gpu_tries_algorithms_in_training_unless_it_is_deterministic() -> None:
    gpu, cudnn = torch.device("cuda:0"), torch.backends.cudnn
    before = cudnn.benchmark
    for deterministic in (False, True):
        with arithmetic(gpu, "float32", deterministic=deterministic):
            assert cudnn.benchmark is not deterministic
            assert torch.backends.cudnn.conv.fp32_precision == "ieee"
        assert cudnn.benchmark is before


def test_an_accelerator_of_the_caller_keeps_its_state() -> None:
    with own_accelerator(CPU, torch.bfloat16):  # as if the process had none before
        mine = Accelerator(cpu=True, mixed_precision="bf16", gradient_accumulation_steps=3)
        with own_accelerator(CPU, None) as other:
            assert other.mixed_precision == "no"
            assert other.gradient_accumulation_steps == 1
        assert AcceleratorState().mixed_precision == mine.mixed_precision == "bf16"
        assert mine.gradient_accumulation_steps == 3


@pytest.mark.parametrize("name", ["cuda:1", "cuda", "cpu"])
def test_the_accelerator_takes_the_very_device_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Not the first one of its kind, nor what a launcher's variables say."""
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", "cuda:7")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("LOCAL_RANK", "3")
    with own_accelerator(CPU, None):  # puts the state of accelerate back
        AcceleratorState._shared_state.clear()
        PartialState._shared_state.clear()
        made = accelerator_on(torch.device(name), None)
        assert made.device == torch.device(name)
        assert (made.num_processes, made.mixed_precision) == (1, "no")
    assert os.environ["ACCELERATE_TORCH_DEVICE"] == "cuda:7"
    assert os.environ["LOCAL_RANK"] == "3"


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "cuda:x", "mps:5"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(RecipeError, match=f"--device is '{name}'"):
        train(tiny(tmp_path), data=tmp_path, out=tmp_path / "run", device=name)
    assert not (tmp_path / "run").exists()


def test_training_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    recipe = tiny(tmp_path, "train.epochs=1", "deterministic=true")
    before = dict(AcceleratorState._shared_state)
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=[0])
    assert torch.equal(torch.rand(4), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    assert AcceleratorState._shared_state == before
