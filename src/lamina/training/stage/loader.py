"""From draws to batches; every sample is named by (seed, stage, epoch, index)."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from lamina.data.case import Case
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.views.resized import resized
from lamina.errors import LaminaError, ResourceError
from lamina.machine.cores import allowed_cores
from lamina.progress import say
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.task import Task

PATIENCE = 1800
"""Seconds after which a loader process that does not answer is an error (M07)."""

_LOOK = 5
"""Seconds between two looks at whether loader processes live."""

_GONE = (ConnectionError, EOFError, FileNotFoundError)
"""What is raised where a batch is fetched from a process that has been killed."""

_IMPORTED_TO_READ = (
    "numba",
    "zarr",
    "lamina.data.transforms.lookup",
    "lamina.data.transforms.trilinear",
)
"""What reading and changing samples imports only when it is needed: once for all workers."""


@dataclass(frozen=True)
class Batch:
    """Stacked samples: image (B, C, H, W), target (B, K, H, W), valid (B, 1, H, W), float32.

    Of blocks all have a depth D before H.
    """

    image: Tensor
    target: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Epoch(Dataset[Any]):
    """The samples of one epoch by number; made anew for each, so workers hold no state."""

    recipe: Recipe
    task: Task
    cases: Sequence[Case]
    normalise: AnyNormalise
    stage: str
    epoch: int
    draws: Sequence[Draw]

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, index: int) -> Sample:
        draw = self.draws[index]
        return make_sample(
            self.cases[draw.case],
            draw,
            self.recipe.frame,
            self.normalise,
            self.recipe.transforms,
            self.task,
            rng(self.recipe.seed, self.stage, self.epoch, index),
        )


def epoch_of(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    normalise: AnyNormalise,
    stage: Stage,
    epoch: int,
) -> Epoch:
    """Return the samples of epoch ``epoch`` (from 0) of ``stage``; ``cases`` as it sees them."""
    restore = task.kind == "restore"
    cases = [resized(case, recipe.frame.resize, restore=restore) for case in cases]
    draws = stage.sampler.draws(
        cases,
        size=recipe.frame.size,
        batch=stage.batch,
        epoch=epoch,
        rng=rng(recipe.seed, stage.name, epoch, "draws"),
    )
    bare = [replace(case, places=None) for case in cases]  # loader processes need none
    return Epoch(recipe, task, bare, normalise, stage.name, epoch, draws)


def batches(
    epoch: Epoch,
    groups: Sequence[list[int]],
    *,
    workers: int,
    fewer: Callable[[int], object] | None = None,
) -> Iterator[Batch]:
    """Yield the batches of ``groups`` in order, made by ``workers`` processes (0: in this one).

    Where a process is killed, the batches that are missing are made again by half as many, once.

    Args:
        epoch: The samples.
        groups: Numbers of the samples of each batch.
        workers: Number of processes.
        fewer: Called with the smaller number of processes; None: a killed process is an error.

    Raises:
        ResourceError: a process was killed, most likely for want of memory, or takes too long; the
            message names the image that it was reading.
        LaminaError: an image cannot be read, as the process said.
    """
    done = 0
    try:
        for batch in _made(epoch, groups, workers):
            yield batch
            done += 1
    except WorkerError as error:
        less = max(workers // 2, 1)
        if fewer is None or error.waited:
            raise
        say(f"{error}; going on with {less} loader processes")
        fewer(less)
        yield from batches(epoch, groups[done:], workers=less)


class WorkerError(ResourceError):
    """A loader process ended, or does not answer; ``waited`` tells which."""

    def __init__(self, message: str, *, waited: bool) -> None:
        super().__init__(message)
        self.waited = waited


def _made(epoch: Epoch, groups: Sequence[list[int]], workers: int) -> Iterator[Batch]:
    if not workers:
        for group in groups:
            yield _stack([epoch[index] for index in group])
        return
    context = _processes()
    # For each process its number, and 1 + the sample it is making.
    doing = context.Array("q", 2 * workers, lock=False)
    with warnings.catch_warnings():  # too many workers are told once, by ``too_many_workers``
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader: DataLoader[Batch | LaminaError] = DataLoader(
            _Told(epoch, doing),
            batch_sampler=groups,
            num_workers=workers,
            collate_fn=_stack_or_error,
            worker_init_fn=_one_thread,
            multiprocessing_context=context,
            generator=torch.Generator(),  # its own, so that resuming draws none from the global one
            timeout=min(_LOOK, PATIENCE),  # dead processes are noticed when it is over
        )
        made = iter(loader)
    begun = time.monotonic()
    while True:
        try:
            batch = next(made, None)
        except (RuntimeError, *_GONE) as error:
            if "timed out" in str(error) and time.monotonic() - begun < PATIENCE:
                continue
            raise _about_worker(error, epoch, doing) from error
        if batch is None:
            return
        if isinstance(batch, LaminaError):
            raise batch
        yield batch
        begun = time.monotonic()


def _about_worker(error: Exception, epoch: Epoch, doing: Sequence[int]) -> Exception:
    """Return the error that says which image a process was at; other errors are as they are."""
    said = str(error)
    waited = "timed out" in said
    if not waited and "DataLoader worker" not in said and not isinstance(error, _GONE):
        return error
    pids = {pid: n for n, pid in enumerate(doing[::2]) if pid}
    meant = set(pids) if waited else _ended(said, set(pids))
    indices = [doing[2 * pids[pid] + 1] - 1 for pid in meant if doing[2 * pids[pid] + 1]]
    names = sorted({epoch.cases[epoch.draws[index].case].image.name for index in indices})
    where = f"while it read {', '.join(names)}" if names else "between two images"
    if waited:
        return WorkerError(
            f"no loader process has answered for {PATIENCE} s {where}; see whether the disk "
            "answers, or leave the image out, then run the same command again to resume",
            waited=True,
        )
    return WorkerError(
        f"a loader process was killed {where}, most likely because the memory is full; free some, "
        "or run the same command again with fewer --workers (0: none) to resume",
        waited=False,
    )


def _ended(said: str, pids: set[int]) -> set[int]:
    """Return which processes have ended: those that the library names, or that are not there."""
    named = {int(one) for one in re.findall(r"\d+", said.partition("(pid")[2].partition(")")[0])}
    patience = time.monotonic() + 2  # until the system has noticed
    while not (found := named & pids or {pid for pid in pids if not _is_alive(pid)}):
        if time.monotonic() > patience:
            break
        time.sleep(0.05)
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class _Told(Dataset[Any]):
    """The samples of an epoch; each process notes which one it is making."""

    epoch: Epoch
    doing: Any

    def __len__(self) -> int:
        return len(self.epoch)

    def __getitem__(self, index: int) -> Sample | LaminaError:
        info = get_worker_info()
        at = 0 if info is None else 2 * info.id
        self.doing[at], self.doing[at + 1] = os.getpid(), index + 1
        try:
            return self.epoch[index]
        except LaminaError as error:  # as a value: the library would put a traceback before it
            return error
        finally:
            self.doing[at + 1] = 0


def too_many_workers(workers: int | None, *, processes: int = 1) -> str:
    """Return a line about more loader processes than this process has cores; else ''.

    Args:
        workers: Of each training process; None: as suits the machine.
        processes: Training processes on this machine.
    """
    cores = allowed_cores()
    if workers is None or workers * processes <= cores:
        return ""
    many = "" if processes == 1 else f" for each of {processes} processes"
    return (
        f"--workers {workers}{many}: more loader processes than the {cores} cores of this machine, "
        f"which may slow training down; {cores // processes} or fewer suit it"
    )


def default_workers(device: torch.device, *, processes: int = 1) -> int:
    """Return how many loader processes suit one of ``processes`` trainings on this machine.

    On a CPU the network wants every core: two threads that share a core with a loader run four
    to six times slower, while a sample costs a tenth of its training step.
    """
    return 0 if device.type == "cpu" else max(min(8, allowed_cores() // processes - 1), 0)


def _processes() -> BaseContext:
    # A fork of a clean server that has imported everything starts in milliseconds, and inherits
    # neither threads nor the GPU; systems without fork import anew.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED_TO_READ])
    return context


def _stack_or_error(samples: list[Sample | LaminaError]) -> Batch | LaminaError:
    wrong = next((sample for sample in samples if isinstance(sample, LaminaError)), None)
    return wrong or _stack([one for one in samples if not isinstance(one, LaminaError)])


def _stack(samples: list[Sample]) -> Batch:
    return Batch(
        *(
            torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))
            for name in ("image", "target", "valid")
        )
    )


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
