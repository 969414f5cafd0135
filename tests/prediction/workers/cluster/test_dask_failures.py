"""A scheduler that is gone, workers that sleep or leave: processes of Dask as from a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lamina.errors import ResourceError
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.run import predict
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Task
from tests.prediction.workers.conftest import Inputs, contents

pytestmark = [
    pytest.mark.usefixtures("thin"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # Dask's own: connections of processes that were killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:RuntimeWarning"),
]

SETTINGS = {"OMP_NUM_THREADS": "1"}


class Cluster:
    """A scheduler and workers, each started as from a shell."""

    def __init__(self, folder: Path, silence: str = "20s", **more: str) -> None:
        """Begin with a scheduler; a worker that is silent for that long is lost."""
        self.file = folder / "scheduler.json"
        lost = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": silence}
        self.environment = os.environ | SETTINGS | lost | more
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start(
            "scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"
        )

    def start(self, kind: str, *words: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{kind}"
        command = [sys.executable, "-m", module, "--scheduler-file", str(self.file), *words]
        self.processes.append(subprocess.Popen(command, env=self.environment))
        return self.processes[-1]

    def worker(self, *words: str) -> subprocess.Popen[bytes]:
        own = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--no-dashboard")
        return self.start("worker", *own, *words)

    @property
    def address(self) -> str:
        while True:
            try:
                return str(json.loads(self.file.read_text())["address"])
            except (OSError, ValueError):
                time.sleep(0.1)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture
def alone(inputs: Inputs, tmp_path: Path) -> Path:
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    return tmp_path / "alone"


def predict_on(cluster: Cluster, inputs: Inputs, out: Path) -> PredictResult:
    return predict(
        inputs.run,
        inputs.images,
        out,
        device="cpu",
        cluster=cluster.address,
        insecure_cluster=True,
        progress=False,
    )


def at_outcome(
    monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[int], object]
) -> list[str]:
    """Act on the process of the outcome with that number; return the names of workers."""
    names, noted = list[str](), Schedule.done

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        noted(schedule, task, outcome)
        names.append(outcome.worker)
        if len(names) == number:
            act(int(outcome.worker.partition(":")[2]))

    monkeypatch.setattr(Schedule, "done", done)
    return names


def test_a_scheduler_that_is_gone_ends_the_prediction_which_goes_on_without(
    inputs: Inputs, alone: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.worker()
    cluster.worker()
    with monkeypatch.context() as patch:
        names = at_outcome(patch, 4, lambda _: cluster.scheduler.kill())
        with pytest.raises(ResourceError, match="or is gone; run the same command again"):
            predict_on(cluster, inputs, tmp_path / "pred")
    assert len(names) < 12  # of four images, seven slabs and a mask
    predict(inputs.run, inputs.images, tmp_path / "pred", device="cpu", progress=False)
    assert contents(tmp_path / "pred") == contents(alone)


def test_N11_a_worker_that_slept_and_finishes_late_changes_nothing(
    inputs: Inputs, alone: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks are done by another; what it then still writes are the same bytes."""
    cluster.worker()
    cluster.worker()
    slept: list[int] = []

    def sleep(pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        slept.append(pid)

    names = at_outcome(monkeypatch, 6, sleep)
    try:
        found = predict_on(cluster, inputs, tmp_path / "pred")
    finally:
        for pid in slept:
            os.kill(pid, signal.SIGCONT)
    assert found.predicted == 5
    assert not any(name.endswith(f":{slept[0]}") for name in names[6:])
    before = contents(alone)
    assert contents(tmp_path / "pred") == before
    time.sleep(20)  # in which it does what it had
    assert contents(tmp_path / "pred") == before
    assert not (tmp_path / "pred" / "work").exists()
    assert not list((tmp_path / "pred").rglob("*.partial"))


def test_a_worker_that_is_told_to_leave_does_so_and_another_goes_on(
    inputs: Inputs, alone: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM, as by Slurm when the walltime is over; what it was at is done again."""
    first = cluster.worker()

    def leave(pid: int) -> None:
        cluster.worker()
        os.kill(pid, signal.SIGTERM)

    names = at_outcome(monkeypatch, 4, leave)
    found = predict_on(cluster, inputs, tmp_path / "pred")
    assert found.predicted == 5
    assert contents(tmp_path / "pred") == contents(alone)
    assert len(set(names)) == 2
    assert first.wait(60) == 0


def test_workers_that_end_before_the_first_answer_are_named(inputs: Inputs, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    path = os.pathsep.join([str(broken), *filter(None, [os.environ.get("PYTHONPATH")])])
    cluster = Cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    cluster.environment["PYTHONPATH"] = path  # of the worker; the scheduler loads torch, too
    try:
        cluster.worker()
        with pytest.raises(ResourceError, match=r"lost while they loaded torch.*worker-ttl"):
            predict_on(cluster, inputs, tmp_path / "pred")
    finally:
        cluster.close()
