"""Steps on two processes, started by the command or by a launcher, from end to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lamina.errors import LaminaError, RecipeError, ResourceError, StoppedError
from lamina.recipe.load import resolved_text
from lamina.training.devices.children import batches
from lamina.training.ensembles.member_runs import train
from tests.factories.discs import discs, quick
from tests.training.devices.children.test_spread import children, when

SHARED = (
    "train.optimizer={kind: sgd, lr: 0.001, momentum: 0}",
    "train.schedule={kind: constant}",
    "train.batch=1",
    "train.accumulate=2",
    "precision=float32",
)


def apart(one: Path, other: Path) -> float:
    """The largest difference between the members of two bundles."""
    found = 0.0
    names = sorted(path.relative_to(one) for path in one.glob("fold*/main/*.safetensors"))
    assert names
    for name in names:
        weights = [load_file(run / name) for run in (one, other)]
        found = max(
            found, *(float((weights[0][k] - weights[1][k]).abs().max()) for k in weights[0])
        )
    return found


@pytest.mark.slow
def test_both_folds_by_two_processes_equal_one_process(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, *SHARED)
    one = train(recipe, data=data, out=tmp_path / "one", workers=0)
    two = train(
        recipe, data=data, out=tmp_path / "two", workers=0, devices="cpu:2", spread="batches"
    )
    assert apart(tmp_path / "one", tmp_path / "two") <= 1e-6
    assert [fold.cases for fold in two.folds] == [fold.cases for fold in one.folds]
    log = (tmp_path / "two" / "log.txt").read_text()
    assert "all train one fold after another, and share every step" in log
    assert log.count("stage main: the 2 batches of 1 of a step are shared by 2 processes") == 2


@pytest.mark.slow
def test_a_launcher_starts_the_processes_itself(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, *SHARED)
    (tmp_path / "r.yaml").write_text(resolved_text(recipe), encoding="utf-8")
    train(recipe, data=data, out=tmp_path / "one", workers=0)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "lamina", "train", "r.yaml", "--data", "data"]
    done = subprocess.run(
        [*command, "--out", "two"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained two") == 1
    assert apart(tmp_path / "one", tmp_path / "two") <= 1e-6
    refused = subprocess.run(
        [*command, "--out", "two", "--devices", "cpu:2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "a launcher such as torchrun has started a process for each device" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_one_process_ends_all_and_the_command_resumes(
    tmp_path: Path, number: signal.Signals
) -> None:
    """N10; C02 for several processes."""
    torch.set_num_threads(1)
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, *SHARED, "train.epochs=60")
    run = tmp_path / "two"
    when(
        lambda: (run / "fold0" / "metrics.jsonl").is_file(),
        lambda: os.kill(children(os.getpid())[-1], number),
    )
    kind: type[LaminaError] = StoppedError if number == signal.SIGTERM else ResourceError
    with pytest.raises(kind, match="run the same command again to resume"):
        train(recipe, data=data, out=run, folds=[0], workers=0, devices="cpu:2", spread="batches")
    assert children(os.getpid()) == []
    train(recipe, data=data, out=run, folds=[0], workers=0, devices="cpu:2", spread="batches")
    train(recipe, data=data, out=tmp_path / "one", folds=[0], workers=0)
    assert apart(tmp_path / "one", run) <= 1e-6


def takes(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = (line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.slow
def test_a_signal_while_processes_start_ends_all_though_one_waits_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would wait for as long as ranks have to find each other: ten minutes."""
    monkeypatch.setattr(batches, "_GRACE", 1.0)
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, *SHARED)
    run, me = tmp_path / "run", os.getpid()

    def stop() -> None:
        waiting, starting = children(me)
        os.kill(starting, signal.SIGSTOP)
        while not takes(waiting, signal.SIGTERM):
            time.sleep(0.02)
        time.sleep(1)  # by now it waits
        os.kill(me, signal.SIGTERM)
        time.sleep(1)  # by now it is passed on
        os.kill(starting, signal.SIGCONT)

    watcher = when(lambda: len(children(me)) == 2, stop)
    with pytest.raises(StoppedError, match=r"stopped while its process on cpu:\d was starting"):
        train(recipe, data=data, out=run, folds=[0], workers=0, devices="cpu:2", spread="batches")
    watcher.join()
    assert children(me) == []
    train(recipe, data=data, out=run, folds=[0], workers=0)


@pytest.mark.slow
def test_what_cannot_be_shared_is_refused_with_a_cure(tmp_path: Path) -> None:
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, "train.accumulate=2")
    with pytest.raises(RecipeError, match=r"-s stages.main.batch=3 -s stages.main.accumulate=3"):
        train(recipe, data=data, out=tmp_path / "run", devices="cpu:3", spread="batches")
