"""A fold that was stopped goes on with everything that its steps depend on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from lamina.errors import StoppedError
from lamina.training import process_state
from lamina.training.fold import _compiled
from lamina.training.run import train
from lamina.training.stage.steps.compiled import CompiledNetwork
from lamina.training.stage.steps.step import Step
from tests.factories.training import SMALL, tiny


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
    changes = (SMALL, "train.batch=1", "train.accumulate=1", "train.epochs=1")
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


def test_a_network_is_compiled_where_that_is_asked_for_and_batches_are_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = nn.Conv2d(1, 1, 1)

    def made(ranks: int, *changes: str) -> CompiledNetwork | None:
        stage = tiny(tmp_path, *changes).stages[0]
        job: Any = SimpleNamespace(title="fold 0", ranks=SimpleNamespace(size=ranks))
        return _compiled(job, stage, network)

    asked = "train.compile=true"
    assert made(1) is None
    assert made(1, asked, "train.accumulate=1") is not None
    assert made(2, asked, "train.accumulate=2") is not None
    assert capsys.readouterr().err == ""
    assert made(2, asked, "train.accumulate=1") is None
    assert "main: is trained as it is, since split batches" in capsys.readouterr().err
