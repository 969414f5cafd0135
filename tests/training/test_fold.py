"""A fold that was stopped goes on with everything that its steps depend on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from lamina.errors import StoppedError
from lamina.training import process_state
from lamina.training.run import train
from lamina.training.stage.steps.step import Step
from tests.factories.training import tiny


def members(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(out.rglob("main/epoch*.safetensors"))]


def test_the_scaler_of_float16_goes_on_where_training_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scale grows every two steps by a factor that leaves its trace in the last digits.

    On a CPU, where torch's scaler works and accelerate makes none by itself.
    """
    scalers = []
    plain, take = process_state.accelerator_on, Step.take

    def scaled(device: torch.device, precision: torch.dtype | None) -> Accelerator:
        made = plain(device, precision)
        made.state._mixed_precision = "fp16"
        made.scaler = torch.amp.GradScaler("cpu", 512.0, growth_factor=1.7, growth_interval=2)
        scalers.append(made.scaler)
        return made

    def stopping(self: Step, steps_per_epoch: int) -> None:
        take(self, steps_per_epoch)
        if self._now.position.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(process_state, "accelerator_on", scaled)
    changes = ("train.batch=1", "train.accumulate=1", "train.epochs=2")
    for name in ("whole", "stopped"):
        recipe = tiny(tmp_path, *changes)
        if name == "stopped":
            monkeypatch.setattr(Step, "take", stopping)
            with pytest.raises(StoppedError, match="stopped in stage main, epoch 1, and saved"):
                train(recipe, data=tmp_path, out=tmp_path / name, folds=[0])
            monkeypatch.setattr(Step, "take", take)
        train(recipe, data=tmp_path, out=tmp_path / name, folds=[0])
    whole, stopped, resumed = (scaler.state_dict() for scaler in scalers)
    assert whole["scale"] > stopped["scale"] > 512
    assert resumed == whole
    assert members(tmp_path / "stopped") == members(tmp_path / "whole") != []
