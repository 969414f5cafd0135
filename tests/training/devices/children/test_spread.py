"""Folds on two processes give what folds one after another give, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamina.bundle import Bundle
from lamina.errors import ResourceError, StoppedError
from lamina.files import digest, read_json
from lamina.machine.device_names import devices_of
from lamina.progress import Level
from lamina.recipe.load import resolved_text
from lamina.training.devices.children.messages import Setup, Work
from lamina.training.devices.children.processes import DeviceProcess
from lamina.training.devices.children.spread import FoldSpread
from lamina.training.ensembles.member_runs import train
from lamina.training.saving.state import Saving
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from tests.factories.discs import discs, quick


def answers(run: Path) -> dict[str, str]:
    """Digests of the files of out-of-fold probabilities, by name."""
    found = {
        path.relative_to(run).as_posix(): digest(path)
        for path in run.glob("**/oof/probabilities/*.npy")
    }
    assert found
    return found


def same(one: Path, other: Path) -> bool:
    """Whether two runs have the same members and out-of-fold predictions, bit by bit."""
    bundles = [Bundle.load(run / "bundle").digest() for run in (one, other)]
    return bundles[0] == bundles[1] and answers(one) == answers(other)


def children(pid: int) -> list[int]:
    """Numbers of the processes of devices that a process has."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if parent == pid and b"spawn_main" in words:
            found.append(int(path.name))
    return sorted(found)


def when(ready: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Act once, as soon as something is so; in a thread."""

    def watch() -> None:
        for _ in range(6000):
            if ready():
                act()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_signal_between_two_folds_stops_before_the_next() -> None:
    stop = Stop()
    stop.signal = signal.SIGINT
    runs: Any = {"": SimpleNamespace(wanted=[0, 1])}
    spread = FoldSpread(
        runs=runs,
        devices=devices_of("cpu:2"),
        workers=0,
        saving=Saving(),
        online=False,
        track=lambda numbers, step: None,
        stop=stop,
        clock=Clock(None, minutes=None),
    )
    with pytest.raises(StoppedError, match="0 of 2 folds were trained; run the same") as caught:
        spread.run()
    assert caught.value.exit_code == 130


def test_a_process_that_is_stopped_while_it_starts_has_stopped_and_not_failed() -> None:
    setup = Setup("cpu", "cpu:0", 1, 0, Saving(), online=False, level=Level.QUIET)
    process = DeviceProcess(setup, {}, track=lambda numbers, step: None)
    process.stop()
    work = Work(0, SimpleNamespace(title="fold 0"), 0.0, None)  # type: ignore[arg-type]
    with pytest.raises(StoppedError, match="fold 0: stopped while its process on cpu:0 was"):
        process.work(work, lambda precision: None)
    process.close()


@pytest.mark.slow
def test_folds_on_two_processes_equal_folds_one_after_another(tmp_path: Path) -> None:
    """Bundle and out-of-fold files bit by bit; the environment says on what it was trained."""
    data, recipe = discs(tmp_path / "data"), quick(tmp_path)
    one = train(recipe, data=data, out=tmp_path / "one", workers=0)
    two = train(recipe, data=data, out=tmp_path / "two", workers=0, devices="cpu:2")
    assert same(tmp_path / "one", tmp_path / "two")
    assert two.folds == one.folds
    env = read_json(tmp_path / "two" / "env.json")
    assert env["device"] == "cpu:0, cpu:1"
    assert env["precision"] == read_json(tmp_path / "one" / "env.json")["precision"]
    assert not list((tmp_path / "two").rglob("run.lock"))
    assert "fold 1 main epoch   1" in (tmp_path / "two" / "log.txt").read_text()


@pytest.mark.slow
def test_a_process_that_is_killed_fails_its_fold_only_and_the_command_resumes(
    tmp_path: Path,
) -> None:
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, "train.epochs=3", "split.count=3")
    train(recipe, data=data, out=tmp_path / "one", workers=0)
    run = tmp_path / "two"
    killed: list[int] = []

    def kill() -> None:
        killed.append(children(os.getpid())[0])
        os.kill(killed[0], signal.SIGKILL)

    begun = [run / f"fold{n}" / "metrics.jsonl" for n in (0, 1)]
    watcher = when(lambda: all(path.is_file() for path in begun), kill)
    with pytest.raises(ResourceError, match=r"fold \d: its process on cpu:\d was killed by sig"):
        train(recipe, data=data, out=run, workers=0, devices="cpu:2")
    watcher.join()
    assert len(killed) == 1
    assert len(list(run.glob("fold*/member.json"))) == 2  # the other two folds are whole
    assert not (run / "bundle").exists()
    train(recipe, data=data, out=run, workers=0, devices="cpu:2")
    assert same(tmp_path / "one", run)


@pytest.mark.slow
def test_sigterm_stops_all_processes_which_save_and_go_on(tmp_path: Path) -> None:
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, "train.epochs=40")
    run = tmp_path / "two"
    begun = [run / f"fold{n}" / "metrics.jsonl" for n in (0, 1)]
    watcher = when(
        lambda: all(path.is_file() for path in begun),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    )
    with pytest.raises(StoppedError, match="run the same command again to resume") as caught:
        train(recipe, data=data, out=run, workers=0, devices="cpu:2")
    watcher.join()
    assert caught.value.exit_code == 143
    assert children(os.getpid()) == []
    assert len(list(run.glob("fold*/state/*/index.json"))) >= 2
    train(recipe, data=data, out=run, workers=0, devices="cpu:2")
    train(recipe, data=data, out=tmp_path / "one", workers=0)
    assert same(tmp_path / "one", run)


@pytest.mark.slow
def test_the_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    data, recipe = discs(tmp_path / "data"), quick(tmp_path, "train.epochs=40")
    (tmp_path / "r.yaml").write_text(resolved_text(recipe), encoding="utf-8")
    run = tmp_path / "two"
    command = [sys.executable, "-m", "lamina", "train", "r.yaml", "--data", "data", "--out", "two"]
    parent = subprocess.Popen([*command, "--devices", "cpu:2"], cwd=tmp_path)
    begun = [run / f"fold{n}" / "metrics.jsonl" for n in (0, 1)]
    for _ in range(6000):
        if all(path.is_file() for path in begun):
            break
        time.sleep(0.02)
    own = children(parent.pid)
    assert len(own) == 2
    parent.kill()
    parent.wait()
    for _ in range(1000):
        if not any(Path(f"/proc/{pid}").exists() for pid in own):
            break
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in own)
    train(recipe, data=data, out=run, workers=0, devices="cpu:2")
    train(recipe, data=data, out=tmp_path / "one", workers=0)
    assert same(tmp_path / "one", run)


@pytest.mark.slow
def test_folds_of_all_members_are_handed_out(tmp_path: Path) -> None:
    data = discs(tmp_path / "data")
    recipe = quick(tmp_path, "members=[{name: a}, {name: b, network: {widths: [8, 8]}}]")
    one = train(recipe, data=data, out=tmp_path / "one", workers=0)
    two = train(recipe, data=data, out=tmp_path / "two", workers=0, devices="cpu:2")
    assert same(tmp_path / "one", tmp_path / "two")
    assert one.members is not None
    assert two.members is not None
    assert list(two.members) == list(one.members) == ["a", "b"]
