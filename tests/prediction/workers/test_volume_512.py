"""A volume of 512 x 512 x 512 voxels: one process, Dask workers that die, two halves."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import zarr

from lamina.bundle import Bundle, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.recipe.recipe import Recipe
from tests.prediction.workers.cluster.test_dask_failures import Cluster
from tests.prediction.workers.conftest import contents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

logger = logging.getLogger(__name__)  # shown with -o log_cli=true -o log_cli_level=INFO

SIDE = 512
MEMORY = 1000  # MiB, as said on the command line


def recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "name": "slices",
            "precision": "float32",
            "task": {"kind": "binary", "names": ["fault"]},
            "data": {"kind": "volume_pairs"},
            "network": {"kind": "resunet", "width": 2, "blocks": [1, 1]},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [256, 256], "slices": {"axes": "zy"}},
            "predict": {"overlap": 0, "batch": 4},
        }
    )


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle that is quick, and the volume."""
    folder, wanted = tmp_path_factory.mktemp("volume"), recipe()
    torch.manual_seed(0)
    weights = dict(wanted.network.build(1, 1).state_dict())
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    Bundle.make(wanted, [member], cases={}).save(folder / "bundle")
    array = zarr.create_array(folder / "v.zarr", shape=(SIDE,) * 3, chunks=(64,) * 3, dtype="uint8")
    for z in range(0, SIDE, 64):
        array[z : z + 64] = np.random.default_rng(z).integers(0, 256, (64, SIDE, SIDE), np.uint8)
    return folder


class Command:
    """The command that predicts, and the most memory that any of its processes held."""

    def __init__(self, volume: Path, out: Path, *more: str) -> None:
        words = [sys.executable, "-m", "lamina", "predict", str(volume / "bundle")]
        words += [str(volume / "v.zarr"), "--out", str(out), "--device", "cpu", *more]
        self.ledger = out / "work" / "v" / "slabs.jsonl"
        self.begun, self.peaks = time.monotonic(), dict[int, int]()
        words += ["--memory", f"{MEMORY}M", "--save", "masks,probabilities"]
        self.process = subprocess.Popen(words)

    def until(self, ready: Callable[[], bool], others: tuple[int, ...] = ()) -> None:
        """Wait, and look at the memory of its processes and of others meanwhile."""
        try:
            while not ready():
                with suppress(psutil.Error):
                    children = psutil.Process(self.process.pid).children(recursive=True)
                    for pid in (self.process.pid, *(each.pid for each in children), *others):
                        self.peaks[pid] = max(self.peaks.get(pid, 0), peak(pid))
                time.sleep(0.1)
        except BaseException:  # the test is stopped
            self.process.kill()
            raise

    def done(self, others: tuple[int, ...] = ()) -> None:
        self.until(lambda: self.process.poll() is not None, others)
        assert self.process.returncode == 0
        most = max(self.peaks.values())
        logger.info("%.0f s, at most %d MiB", time.monotonic() - self.begun, most)
        assert most < MEMORY

    def units(self) -> int:
        """Return how many units are noted."""
        try:
            return len(self.ledger.read_text().splitlines()) - 1
        except OSError:
            return 0


def peak(pid: int) -> int:
    """Return the most MiB that a process held so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0].split()[1]) // 1024 if found else 0


def test_one_process_dask_workers_with_one_killed_and_two_halves_are_the_same_bytes(
    volume: Path, tmp_path: Path
) -> None:
    """B01, M03, N09."""
    alone = Command(volume, tmp_path / "alone")
    alone.done()
    wanted = contents(tmp_path / "alone")
    assert {"prediction.json", "probabilities", "masks", "rows"} <= wanted.keys()

    cluster = Cluster(tmp_path, "300s")  # whose workers load torch beside others: not silence
    try:
        workers = [cluster.worker() for _ in range(4)]
        where = ("--cluster", cluster.address, "--insecure-cluster")
        shared = Command(volume, tmp_path / "dask", *where)
        pids = tuple(worker.pid for worker in workers)
        shared.until(
            lambda: shared.units() >= SIDE // 128 or shared.process.poll() is not None, pids
        )
        workers[0].kill()  # of 16 units
        shared.done(pids)
    finally:
        cluster.close()
    assert contents(tmp_path / "dask") == wanted

    first = Command(volume, tmp_path / "halves", "--workers", "2")
    first.until(lambda: first.units() >= SIDE // 64 or first.process.poll() is not None)
    first.process.send_signal(signal.SIGKILL)
    assert first.process.wait() == -signal.SIGKILL
    Command(volume, tmp_path / "halves").done()
    assert contents(tmp_path / "halves") == wanted
