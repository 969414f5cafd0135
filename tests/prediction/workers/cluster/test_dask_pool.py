"""Workers of a real Dask cluster of processes: killed, they change no byte."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import WorkerPlugin

from lamina.errors import PartialError, RecipeError
from lamina.prediction.run import predict
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Task
from tests.prediction.workers.conftest import Inputs, contents

pytestmark = [
    pytest.mark.usefixtures("thin"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # Dask's own: connections of workers that were killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:RuntimeWarning"),
]


@pytest.fixture
def client() -> Iterator[Client]:
    with cluster_of(4) as client:
        yield client


@contextmanager
def cluster_of(workers: int) -> Iterator[Client]:
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with (
        LocalCluster(n_workers=workers, silence_logs=50, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_N09_four_workers_of_dask_with_one_killed_give_the_same_bytes(
    inputs: Inputs, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    names, noted = list[str](), Schedule.done

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        noted(schedule, task, outcome)
        names.append(outcome.worker)
        if len(names) == 3:
            os.kill(int(outcome.worker.partition(":")[2]), signal.SIGKILL)

    monkeypatch.setattr(Schedule, "done", done)
    found = predict(
        inputs.run, inputs.images, tmp_path / "dask", device="cpu", cluster=client, progress=False
    )
    assert found.predicted == 5
    assert contents(tmp_path / "dask") == contents(tmp_path / "alone")
    assert len(set(names)) >= 2
    assert client.status == "running"


class Deadly(WorkerPlugin):
    """Lets a worker die as soon as it has written the first chunk of a volume."""

    def setup(self, worker: Any) -> None:
        os.environ["LAMINA_FAULT"] = "store.after_chunk:1"


def test_M06_a_task_that_kills_its_workers_is_named_and_the_others_are_done(
    inputs: Inputs, tmp_path: Path
) -> None:
    named = r"v\.npy: from \d+ along y: workers of the cluster ended"
    words = (inputs.run, inputs.images, tmp_path)
    few = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with few, cluster_of(2) as client:
        client.register_plugin(Deadly())
        with pytest.raises(PartialError, match=named) as caught:
            predict(*words, device="cpu", cluster=client, progress=False)
    assert caught.value.result is not None
    assert caught.value.result.predicted == 4


def test_workers_without_lamina_are_refused(inputs: Inputs, tmp_path: Path, client: Client) -> None:
    first = min(client.nthreads())
    client.run(exec, "import sys; sys.modules['lamina'] = None", workers=[first])
    with pytest.raises(RecipeError, match=f"the worker {first} lacks lamina; install it there"):
        predict(inputs.run, inputs.images, tmp_path, device="cpu", cluster=client, progress=False)
