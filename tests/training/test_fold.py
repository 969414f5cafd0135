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
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina.errors import RecipeError, StoppedError
from lamina.training import fold, process_state
from lamina.training.fold import _compiled
from lamina.training.run import train
from lamina.training.saving.state import TrainState
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


def saves(out: Path) -> list[dict[str, Tensor]]:
    folders = sorted(path for path in (out / "fold0" / "state").iterdir())
    return [load_file(folder / "tensors.safetensors") for folder in folders]


def test_the_state_is_saved_by_time_and_dropped_when_the_fold_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first epoch, whenever minutes have passed, at the end, and once without tensors."""
    made: list[tuple[int, bool]] = []
    write = fold.save_state

    def noted(folder: Path, state: TrainState, *, number: int) -> None:
        made.append((state.position.epoch, bool(state.tensors)))
        write(folder, state, number=number)

    monkeypatch.setattr(fold, "save_state", noted)
    recipe = tiny(tmp_path, SMALL, "train.epochs=3", "data.count=4")
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=[0])
    assert made == [(1, True), (3, False)]
    assert saves(tmp_path / "run") == [{}, {}]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=[0])
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    assert {k: v for k, v in after.items() if "bundle" not in k.parts} == {
        k: v for k, v in before.items() if "bundle" not in k.parts
    }
    made.clear()
    train(recipe, data=tmp_path, out=tmp_path / "often", folds=[0], save_minutes=0)
    assert {epoch for epoch, tensors in made if tensors} == {0, 1, 2, 3}
    assert members(tmp_path / "often") == members(tmp_path / "run") != []


def test_a_finished_fold_is_trained_longer_only_where_its_state_was_kept(tmp_path: Path) -> None:
    """C09: it then ends as one that was trained so long at once; else nothing is changed."""
    common = (SMALL, "data.count=4", "train.schedule={kind: constant}")
    short, long = (tiny(tmp_path, *common, f"train.epochs={epochs}") for epochs in (1, 2))
    train(long, data=tmp_path, out=tmp_path / "whole", folds=[0])
    for name, keep in (("kept", True), ("dropped", False)):
        out = tmp_path / name
        train(short, data=tmp_path, out=out, folds=[0], keep_state=keep)
        more: Any = {"data": tmp_path, "out": out, "folds": [0], "accept_changes": True}
        if keep:
            assert all(saves(out))
            train(long, **more)
            assert members(out) == members(tmp_path / "whole") != []
        else:
            with pytest.raises(RecipeError, match=r"finished after 1 epochs .* trained for 2; set"):
                train(long, **more)
            train(short, data=tmp_path, out=out, folds=[0])
