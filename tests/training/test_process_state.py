"""The process is after a training as it was before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from lamina.errors import RecipeError
from lamina.training.process_state import (
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


def test_an_accelerator_of_the_caller_keeps_its_state() -> None:
    with own_accelerator(CPU, torch.bfloat16):  # as if the process had none before
        mine = Accelerator(cpu=True, mixed_precision="bf16", gradient_accumulation_steps=3)
        with own_accelerator(CPU, None) as other:
            assert other.mixed_precision == "no"
            assert other.gradient_accumulation_steps == 1
        assert AcceleratorState().mixed_precision == mine.mixed_precision == "bf16"
        assert mine.gradient_accumulation_steps == 3


def test_one_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "num_processes", property(lambda _: 2))
    with pytest.raises(RecipeError, match="trains with one process"), own_accelerator(CPU, None):
        pass


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
