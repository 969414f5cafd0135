"""Workers of a real Dask cluster of processes: killed, they change no byte."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lamina.errors import PartialError, RecipeError
from lamina.prediction.run import predict
from lamina.prediction.workers import pool_of
from tests.factories.processes import PROCESSES
from tests.prediction.workers.conftest import Inputs, contents
from tests.prediction.workers.test_local_pool import kill_at

if TYPE_CHECKING:
    from distributed import Client

distributed = pytest.importorskip("distributed", reason="EXTRA MISSING: lamina[dask]")
dask = pytest.importorskip("dask")

pytestmark = [
    pytest.mark.usefixtures("thin", "one_thread"),
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
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=workers, silence_logs=50, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the processes of Dask from a server that has imported everything."""
    for module in (distributed.nanny, distributed.process):
        monkeypatch.setattr(module, "get_mp_context", lambda: PROCESSES)


def check_one_killed(
    run: Path, images: Path, folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill the worker of the second outcome, and compare with one process."""
    alone = predict(run, images, folder / "alone", device="cpu", progress=False)
    names = kill_at(monkeypatch, 2)
    found = predict(run, images, folder / "dask", device="cpu", cluster=client, progress=False)
    assert found.predicted == alone.predicted
    assert contents(folder / "dask") == contents(folder / "alone")
    assert len(set(names)) >= 2
    assert client.status == "running"


@pytest.mark.slow
def test_N09_four_workers_of_dask_with_one_killed_give_the_same_bytes(
    inputs: Inputs, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_one_killed(*inputs, tmp_path, client, monkeypatch)


@pytest.mark.usefixtures("forked")
def test_N09_one_of_two_workers_that_are_forked_is_killed(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume of three slabs along z and one along y."""
    np.save(tmp_path / "v.npy", np.random.default_rng(0).integers(0, 256, (36, 8, 8), np.uint8))
    with cluster_of(2) as client:
        check_one_killed(inputs.run, tmp_path / "v.npy", tmp_path, client, monkeypatch)


class Deadly(distributed.WorkerPlugin):  # type: ignore[misc]
    """Lets a worker die as soon as it has written the first chunk of a volume."""

    def setup(self, worker: Any) -> None:
        os.environ["LAMINA_FAULT"] = "store.after_chunk:1"


@pytest.mark.slow
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


@pytest.mark.slow
def test_workers_without_lamina_are_refused(inputs: Inputs, tmp_path: Path, client: Client) -> None:
    first = min(client.nthreads())
    client.run(exec, "import sys; sys.modules['lamina'] = None", workers=[first])
    with pytest.raises(RecipeError, match=f"the worker {first} lacks lamina; install it there"):
        predict(inputs.run, inputs.images, tmp_path, device="cpu", cluster=client, progress=False)


@pytest.mark.slow
def test_a_worker_with_other_libraries_is_refused_by_its_machine(
    inputs: Inputs, tmp_path: Path
) -> None:
    """What it says of itself is changed in its own process; nothing of its bytes is kept."""
    says = "import lamina.prediction.workers.worker as w; w.versions = lambda: {'torch': '1.0'}"
    words = (inputs.run, inputs.images, tmp_path / "pred")
    with cluster_of(1) as client:
        client.run(exec, says)
        with pytest.raises(RecipeError, match=f"{socket.gethostname()}: has other versions of"):
            predict(*words, device="cpu", cluster=client, progress=False)
    assert not (tmp_path / "pred" / "ledger.jsonl").exists()
    predict(*words, device="cpu", progress=False)
    predict(inputs.run, inputs.images, tmp_path / "alone", device="cpu", progress=False)
    assert contents(tmp_path / "pred") == contents(tmp_path / "alone")


@pytest.mark.slow
def test_a_cluster_without_workers_is_waited_for_and_that_is_said(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker comes once it is said."""
    lines = list[str]()
    with cluster_of(0) as client:

        def say(line: str) -> None:
            lines.append(line)
            client.cluster.scale(1)

        monkeypatch.setattr(pool_of, "say", say)
        words = (inputs.run, inputs.images / "i0.png", tmp_path)
        found = predict(*words, device="cpu", cluster=client, progress=False)
    assert found.predicted == 1
    assert lines == ["--cluster: has no worker yet; waiting for the first one"]
