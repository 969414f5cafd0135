"""The cluster that ``--cluster`` names: a scheduler's address, or a file that asks Slurm for one.

Whoever reaches a Dask scheduler can run code as its user. A scheduler for Slurm jobs therefore has
a TLS key that is made for the run; ``tcp://`` has none and is taken only where the user says that
the network is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, field_validator

from lamina.errors import RecipeError, ResourceError
from lamina.options.explain import check
from lamina.options.nodes import Where
from lamina.recipe.yaml.reader import read_text
from lamina.refusals import reading
from lamina.spec import Spec

if TYPE_CHECKING:
    from dask_jobqueue.slurm import SLURMCluster
    from distributed import Client, Future

    Cluster = str | Path | Client

Answer = TypeVar("Answer")

_MARGIN, _STAGGER = 15 * 60, 5 * 60  # seconds before the walltime ends

_WAIT = 15  # seconds for a scheduler to answer

MEMORY = {
    f"DASK_DISTRIBUTED__WORKER__MEMORY__{name}": "False"
    for name in ("TARGET", "SPILL", "PAUSE", "TERMINATE")
}
"""Dask's own watch over memory, which would pause for ever a worker that keeps what it freed."""


class Slurm(Spec):
    """Jobs of Slurm, one worker in each; ``lamina predict --cluster FILE.yaml`` reads it."""

    kind: Literal["slurm"]
    """Which cluster it is."""

    workers: int = Field(ge=1)
    """Jobs, with one worker each."""

    partition: str | None = None
    """Partition of the jobs; null: the cluster's own choice."""

    walltime: str = "01:00:00"
    """Time of a job; its worker leaves 15 to 20 minutes before, and another does its block anew."""

    cores: int = Field(default=1, ge=1)
    """Cores of a job; the worker itself has one thread."""

    memory: str = "8G"
    """Memory of a job."""

    interface: str | None = None
    """Network interface that jobs reach this machine by, such as ib0; null: the first."""

    directives: tuple[str, ...] = ()
    """More lines of #SBATCH, such as --gres=gpu:1."""

    prologue: tuple[str, ...] = ()
    """Lines of shell before the worker starts, such as one that activates its environment."""

    @field_validator("walltime")
    @classmethod
    def _is_a_time(cls, walltime: str) -> str:
        if not re.fullmatch(r"(\d+-)?\d+:\d\d:\d\d", walltime):
            raise ValueError(f"walltime is '{walltime}'; write hours:minutes:seconds in quotes")
        return walltime

    @field_validator("memory")
    @classmethod
    def _is_a_size(cls, memory: str) -> str:
        if not re.fullmatch(r"\d+[MGT]", memory):
            raise ValueError(f"memory is '{memory}'; write a number with M, G or T, such as 64G")
        return memory

    @property
    def lifetime(self) -> int:
        """Seconds after which a worker leaves."""
        days, _, clock = self.walltime.rpartition("-")
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        whole = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
        return max(whole - _MARGIN, whole // 2)


def read_slurm(path: Path) -> Slurm:
    """Return what a file asks of Slurm.

    Raises:
        RecipeError: it is not valid; every problem is named with its line.
        DataError: it cannot be read.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8")
    root, problems = read_text(text, lambda line: Where(str(path), line))
    return check(Slurm, root, None, problems)


def slurm_cluster(slurm: Slurm, name: str, folder: Path) -> SLURMCluster:
    """Return a cluster with a scheduler here and no job yet.

    Args:
        slurm: What is asked for.
        name: Of the jobs.
        folder: On the shared disk, for keys and what jobs print.
    """
    from dask_jobqueue.slurm import SLURMCluster
    from distributed.security import Security

    own = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", **MEMORY}
    return SLURMCluster(
        n_workers=0,
        queue=slurm.partition,
        walltime=slurm.walltime,
        cores=1,
        processes=1,
        job_cpu=slurm.cores,
        memory=f"{slurm.memory}iB",
        job_mem=slurm.memory,
        job_name=name,
        interface=slurm.interface,
        job_extra_directives=list(slurm.directives),
        job_script_prologue=[
            *slurm.prologue,
            *(f"export {key}={value}" for key, value in own.items()),
        ],
        worker_extra_args=[
            *("--lifetime", f"{slurm.lifetime}s"),
            *("--lifetime-stagger", f"{min(_STAGGER, slurm.lifetime // 4)}s"),
        ],
        log_directory=str(folder / ".slurm"),  # with a dot: no content of the folder
        shared_temp_directory=str(folder),
        local_directory="/tmp",  # of the worker's machine
        security=Security.temporary(),
        protocol="tls://",
        # Its status is for this machine alone, at any free port: Dask's own may be taken.
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    )


@contextmanager
def connected(cluster: Cluster, out: Path, *, insecure: bool) -> Iterator[Client]:
    """Connect to a cluster; what was begun for it ends with the block.

    Args:
        cluster: ``tls://`` or ``tcp://`` address of a scheduler, a YAML file, or a Client, which
            stays open.
        out: The folder of predictions, on a disk that all workers share.
        insecure: Whether ``tcp://`` may be used.

    Raises:
        RecipeError: the address or the file is not valid, or dask is not installed.
        ResourceError: no scheduler answers.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        needs = '--cluster: needs dask; install it with pip install "lamina[dask]"'
        raise RecipeError(needs) from error
    if isinstance(cluster, Client):
        yield cluster
        return
    address = str(cluster)
    if re.match(r"(tcp|tls)://", address):
        with _client(address, insecure=insecure) as client:
            yield client
        return
    if Path(address).suffix.lower() not in (".yaml", ".yml"):
        raise RecipeError(
            f"--cluster is '{address}'; give the address of a Dask scheduler, such as "
            "tls://host:8786, or a YAML file that begins with kind: slurm"
        )
    slurm = read_slurm(Path(address))
    out.mkdir(parents=True, exist_ok=True)
    jobs = slurm_cluster(slurm, f"lamina-{out.name}", out.absolute())
    try:
        jobs.scale(jobs=slurm.workers)
        with Client(jobs, set_as_default=False) as client:
            yield client
    finally:
        jobs.close()


def check_installed(client: Client) -> None:
    """Refuse workers without lamina, which cannot read a task, so that it would never end.

    Raises:
        RecipeError: a worker that is there already lacks it.
    """
    lacking = [name for name, spec in client.run(find_spec, "lamina").items() if spec is None]
    if lacking:
        raise RecipeError(f"--cluster: the worker {lacking[0]} lacks lamina; install it there")


def first_answer(told: Future[Answer]) -> Answer:
    """Wait for what a worker says first, which loads torch there, and let it go.

    Raises:
        ResourceError: workers were lost before they said it.
    """
    from distributed.scheduler import KilledWorker

    try:
        return told.result()
    except KilledWorker as error:
        raise ResourceError(
            "--cluster: workers were lost while they loaded torch: they ended, or were silent for "
            "longer than distributed.scheduler.worker-ttl; give them more memory or fewer "
            "neighbours, or raise that time, and run the same command again"
        ) from error
    finally:
        told.release()


@contextmanager
def _client(address: str, *, insecure: bool) -> Iterator[Client]:
    from distributed import Client
    from distributed.security import Security

    secured = address.startswith("tls://")
    if not secured and not insecure:
        raise RecipeError(
            f"--cluster {address}: has no encryption, and whoever reaches its scheduler can run "
            "code as you; start it with TLS and name it tls://…, or pass --insecure-cluster on a "
            "network that you trust"
        )
    security: Any = Security(require_encryption=True) if secured else None
    try:
        client = Client(address, timeout=_WAIT, set_as_default=False, security=security)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ResourceError(
            f"--cluster {address}: does not answer ({error}); start dask scheduler there, or "
            "correct the address"
        ) from error
    with client:
        yield client
