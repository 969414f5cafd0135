"""Processes of this machine: killed, they are replaced, and no byte changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lamina.errors import PartialError
from lamina.prediction.run import predict
from lamina.prediction.workers import process_pool
from lamina.prediction.workers.local_pool import LocalPool
from lamina.prediction.workers.pool_of import Processes
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Setup, Task
from tests.prediction.workers.conftest import Inputs, contents

pytestmark = pytest.mark.usefixtures("thin")


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Kill the worker whose outcome is that number; return a list of all workers' names."""
    names, noted = list[str](), Schedule.done

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        noted(schedule, task, outcome)
        names.append(outcome.worker)
        if len(names) == number:
            os.kill(int(outcome.worker.partition(":")[2]), signal.SIGKILL)

    monkeypatch.setattr(Schedule, "done", done)
    return names


@pytest.mark.slow
def test_N09_a_worker_that_is_killed_changes_no_byte(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    names = kill_at(monkeypatch, 3)
    found = predict(
        inputs.run, inputs.images, tmp_path / "pool", device="cpu", workers=4, progress=False
    )
    assert found.predicted == 5
    assert contents(tmp_path / "pool") == contents(tmp_path / "alone")
    assert set(found.worker_seconds) == set(names)
    assert 2 <= len(set(names)) <= 5  # four, and one in place of the killed one
    assert not [child for child in psutil.Process().children() if "spawn_main" in _words(child)]


@pytest.mark.slow
def test_N09_a_worker_that_dies_after_a_chunk_and_before_its_answer_changes_no_byte(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, since who comes in its place dies there too: the other one does it all."""
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    lost: list[list[Task]] = []
    lose = process_pool._Process.lose

    def noted(process: process_pool._Process[Task, Outcome]) -> list[Task]:
        lost.append(lose(process))
        return lost[-1]

    def one_of_two(processes: Processes, schedule: Schedule, setup: Setup) -> LocalPool:
        return LocalPool(setup, [{}, {"LAMINA_FAULT": "store.after_chunk:1"}])

    monkeypatch.setattr(process_pool._Process, "lose", noted)
    monkeypatch.setattr(Processes, "pool", one_of_two)
    monkeypatch.setattr(process_pool, "LOSSES", 1)
    for attempt in range(5):  # on a busy machine it may begin when the other has done everything
        out = tmp_path / f"pool{attempt}"
        found = predict(inputs.run, inputs.images, out, device="cpu", workers=2, progress=False)
        assert found.predicted == 5
        assert contents(out) == contents(tmp_path / "alone")
        if lost:
            break
    assert lost
    assert all(tasks[0].part == "units" for tasks in lost)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_named_and_the_others_are_done(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M06."""

    def deadly(processes: Processes, schedule: Schedule, setup: Setup) -> LocalPool:
        # every worker dies as soon as it has written the first chunk of a volume
        return LocalPool(setup, [{"LAMINA_FAULT": "store.after_chunk:1"}] * processes.count)

    monkeypatch.setattr(Processes, "pool", deadly)
    monkeypatch.setattr(process_pool, "LOSSES", 2)
    with pytest.raises(PartialError, match=r"v\.npy: from \d+ along y: 3 workers ended") as caught:
        predict(inputs.run, inputs.images, tmp_path, device="cpu", workers=2, progress=False)
    assert caught.value.result is not None
    assert caught.value.result.predicted == 4


COMMAND = """
from lamina.cli.main import run
from lamina.prediction.streaming import slabs
slabs.THICKEST = slabs.MOST = 16
run()
"""


def command(inputs: Inputs, out: Path, *more: str) -> list[str]:
    """Return the words that predict volumes in thin slabs from a command line."""
    words = [sys.executable, "-c", COMMAND, "predict", str(inputs.run), str(inputs.images)]
    return [*words, "--out", str(out), "--device", "cpu", *more]


@pytest.mark.slow
def test_B01_the_main_process_killed_and_run_again_gives_the_same_bytes(
    inputs: Inputs, tmp_path: Path
) -> None:
    """N09, N11: four workers, which end with their parent; a second command is refused."""
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    words = command(inputs, tmp_path / "pool", "--workers", "4")
    child = subprocess.Popen(words)
    try:
        ledger = tmp_path / "pool/work/v/slabs.jsonl"
        while not ledger.exists() or len(ledger.read_text().splitlines()) < 2:
            assert child.poll() is None
            time.sleep(0.05)
        workers = psutil.Process(child.pid).children(recursive=True)
        assert len([each for each in workers if "spawn_main" in _words(each)]) == 4
        os.kill(child.pid, signal.SIGSTOP)  # it works no faster than the second one starts
        second = subprocess.run(words, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert f"process {child.pid} on " in second.stderr
        os.kill(child.pid, signal.SIGCONT)
    finally:
        child.kill()
        child.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    subprocess.run(words, check=True)
    assert contents(tmp_path / "pool") == contents(tmp_path / "alone")
    assert not (tmp_path / "pool/work").exists()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["slab.before_ledger:3", "slab.after_ledger:3"])
def test_N09_killed_just_before_and_after_a_line_of_the_ledger(
    inputs: Inputs, tmp_path: Path, point: str
) -> None:
    """B01."""
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    words = command(inputs, tmp_path / "pool", "--workers", "2")
    environment = os.environ | {"LAMINA_FAULT": point}
    assert subprocess.run(words, env=environment, check=False).returncode == -signal.SIGKILL
    lines = (tmp_path / "pool/work/v/slabs.jsonl").read_text().splitlines()
    assert len(lines) == 1 + (2 if "before" in point else 3)
    subprocess.run(words, check=True)
    assert contents(tmp_path / "pool") == contents(tmp_path / "alone")


SCRIPT = """
import lamina
lamina.predict({run!r}, {images!r}, {out!r}, device="cpu", workers=1)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_to_have_one(inputs: Inputs, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT.format(run=str(inputs.run), images=str(inputs.images), out=str(tmp_path / "pred"))
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 1
    assert "below if __name__ == '__main__'" in done.stderr
