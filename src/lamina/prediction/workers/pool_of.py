"""Who predicts: this process, processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from lamina.errors import RecipeError
from lamina.machine.cores import WORKER_BYTES, allowed_cores, workers_and_threads
from lamina.machine.device_names import devices_of, refuse_missing
from lamina.machine.environment import only_gpu
from lamina.prediction.tiling.memory import available_memory
from lamina.prediction.tiling.precision import (
    choose,
    choose_device,
    device_kind,
    name_of,
    uses_tf32,
)
from lamina.prediction.workers.local_pool import LocalPool
from lamina.prediction.workers.pools import Pool, ThisProcess
from lamina.prediction.workers.process_pool import check_workers
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Setup
from lamina.prediction.workers.worker import Worker
from lamina.progress import say

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Computing:
    """How a process computes: where, with what digits."""

    device: str
    kind: str
    precision: str
    tf32: bool

    @classmethod
    def here(cls, device: str, precision: str) -> Computing:
        """Return what a recipe's precision, and a device asked for, come to in this process.

        Raises:
            RecipeError: there is no such device.
        """
        where = choose_device(device)
        dtype = choose(precision, where)
        return cls(str(where), device_kind(where), name_of(dtype), uses_tf32(where, precision))


@dataclass(frozen=True)
class Processes:
    """Those that predict, and how they compute."""

    computing: Computing

    environments: Sequence[Mapping[str, str]] = ()
    """Of each process of this machine; none: this process, or a cluster."""

    threads: int = 1
    client: Client | None = None
    ahead: bool = True
    """Whether this process may hold two answers: one that is written, and the next."""

    @property
    def count(self) -> int:
        """Number of workers; 0: this process."""
        return len(self.environments) if self.client is None else len(self.client.nthreads()) or 1

    @property
    def said(self) -> str:
        """Those that predict, in words that follow others."""
        if self.client is not None:
            return f", {self.count} workers of a cluster so far"
        return f", {self.count} processes" if self.count else ""

    @property
    def device_asked(self) -> str:
        """What workers ask for: each sees one GPU, if any."""
        return torch.device(self.computing.device).type

    @property
    def device(self) -> torch.device:
        """Where networks run in this process."""
        return torch.device("cpu" if self.client is not None else self.computing.device)

    def pool(self, schedule: Schedule, setup: Setup) -> Pool:
        """Return who does the tasks of a schedule; ``setup`` is what workers begin with."""
        if self.client is not None:
            from lamina.prediction.workers.cluster.dask_pool import DaskPool

            return DaskPool(setup, self.client)
        if self.environments:
            return LocalPool(setup, self.environments)
        worker = Worker(
            schedule.outputs,
            schedule.loaded,
            schedule.case,
            batch=setup.batch,
            memory=setup.memory,
            tick=schedule.bar.advance,
            ahead=self.ahead,
        )
        return ThisProcess(worker)


@dataclass(frozen=True)
class Asked:
    """What the user asks for."""

    workers: int | Literal["auto"] | None = None
    devices: str | Sequence[str] | None = None
    cluster: str | Path | Client | None = None
    insecure: bool = False
    device: str = "auto"
    memory: int | None = None

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            RecipeError: two ways to predict, or no whole number of workers.
        """
        ways = {
            "--workers": self.workers is not None,
            "--devices": self.devices is not None,
            "--cluster": self.cluster is not None,
        }
        given = [name for name, is_given in ways.items() if is_given]
        if len(given) > 1:
            raise RecipeError(f"{' and '.join(given)} say who predicts; pass one of them")
        if self.devices is not None and self.device != "auto":
            raise RecipeError("--device and --devices are both given; leave one of them out")
        if self.insecure and self.cluster is None:
            raise RecipeError("--insecure-cluster is of --cluster; name a scheduler as well")
        check_workers(self.workers)


@contextmanager
def processes_for(asked: Asked, precision: str, out: Path) -> Iterator[Processes]:
    """Yield those that predict; a cluster that is begun for it ends with the block.

    Args:
        asked: By the user.
        precision: As the recipe says it.
        out: The folder of predictions.

    Raises:
        LaminaError: a device or a cluster is not there.
    """
    asked.check()
    if asked.cluster is not None:
        from lamina.prediction.workers.cluster.connect import (
            check_installed,
            connected,
            first_answer,
        )

        with connected(asked.cluster, out, insecure=asked.insecure) as client:
            check_installed(client)
            told = client.submit(Computing.here, asked.device, precision, pure=False)
            if not client.nthreads():
                say("--cluster: has no worker yet; waiting for the first one")
            computing: Computing = first_answer(told)
            yield Processes(computing, client=client)
        return
    if asked.devices is not None:
        yield _on_devices(asked.devices, precision)
        return
    computing = Computing.here(asked.device, precision)
    if asked.workers is None:
        yield Processes(computing, ahead=asked.memory is None)
        return
    count, threads = int(asked.workers) if asked.workers != "auto" else 0, 1
    if not count:
        count, threads = workers_and_threads(
            allowed_cores(), available_memory(), asked.memory or WORKER_BYTES
        )
    yield Processes(computing, [{}] * count, threads)


def _on_devices(wish: str | Sequence[str], precision: str) -> Processes:
    """Return a process for each device, or this one where there is one device."""
    devices = devices_of(wish)
    refuse_missing(devices)
    computing = Computing.here(devices[0].here, precision)
    if len(devices) == 1:
        return Processes(computing)
    gpus = devices[0].kind == "cuda"
    return Processes(computing, [only_gpu(each.number) if gpus else {} for each in devices])
