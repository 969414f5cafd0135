"""Processes that make the batches of a stage, and what is said when one of them ends."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from lamina.data.network_input.sample import Sample
from lamina.errors import LaminaError, ResourceError
from lamina.training.stage.loading.samples import Batch, Epoch, Request, StageSamples, stacked

PATIENCE = 1800
"""Seconds after which a loader process that does not answer is an error (M07)."""

_LOOK = 5
"""Seconds between two looks at whether loader processes live."""

_AHEAD = 4
"""Batches that each loader process makes for a GPU before they are asked for; for others half."""

_GONE = (ConnectionError, EOFError, FileNotFoundError)
"""What is raised where a batch is fetched from a process that has been killed."""

_IMPORTED_TO_READ = (
    "numba",
    "zarr",
    "lamina.data.transforms.lookup",
    "lamina.data.transforms.trilinear",
)
"""What reading and changing samples imports only when it is needed: once for all workers."""


class WorkerError(ResourceError):
    """A loader process ended, or does not answer; ``waited`` tells which."""

    def __init__(self, message: str, *, waited: bool) -> None:
        super().__init__(message)
        self.waited = waited


class LoaderProcesses:
    """Processes that make batches; they are given the cases once, and then only draws."""

    def __init__(self, workers: int, *, pin: bool = False) -> None:
        """Begin without a process; the first batch starts them.

        Args:
            workers: Number of processes, at least 1.
            pin: Whether batches lie in memory that GPUs copy from by themselves.
        """
        self._workers, self._pin = workers, pin
        self._context = _processes()
        # For each process its number, and 1 + the sample it is making.
        self._doing = self._context.Array("q", 2 * workers, lock=False)
        self._samples: StageSamples | None = None
        self._loader: DataLoader[Batch | LaminaError] | None = None
        self._requests: list[list[Request]] = []

    def batches(self, epoch: Epoch, groups: Sequence[list[int]]) -> Iterator[Batch]:
        """Yield the batches of ``groups`` in order; as ``batches`` does."""
        self._requests[:] = [[epoch.request(index) for index in group] for group in groups]
        begun, done, made = time.monotonic(), 0, None
        try:
            while done < len(groups):
                try:
                    made = self._begin(epoch.samples) if made is None else made
                    batch = next(made)
                except (RuntimeError, *_GONE) as error:
                    if "timed out" in str(error) and time.monotonic() - begun < PATIENCE:
                        if made is None:  # they do not answer after a pause: others begin anew
                            self._loader = None
                        continue
                    raise _about_worker(error, epoch, self._doing) from error
                if isinstance(batch, LaminaError):
                    raise batch
                done += 1
                yield batch
                begun = time.monotonic()
        finally:
            if done < len(groups):  # what they still make is of no use
                self._loader = None

    def _begin(self, samples: StageSamples) -> Iterator[Batch | LaminaError]:
        """Ask for the batches, of the processes that have the stage's samples or of new ones."""
        with warnings.catch_warnings():  # too many workers are told once, by ``too_many_workers``
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            if self._loader is None or self._samples is not samples:
                self._samples, self._loader = samples, self._new(samples)
            return iter(self._loader)

    def _new(self, samples: StageSamples) -> DataLoader[Batch | LaminaError]:
        return DataLoader(
            _Told(samples, self._doing),
            batch_sampler=self._requests,
            num_workers=self._workers,
            collate_fn=_stack_or_error,
            worker_init_fn=_one_thread,
            multiprocessing_context=self._context,
            generator=torch.Generator(),  # its own, so that resuming draws none from the global one
            timeout=min(_LOOK, PATIENCE),  # dead processes are noticed when it is over
            pin_memory=self._pin,
            prefetch_factor=_AHEAD if self._pin else 2,
            persistent_workers=True,
        )


def _about_worker(error: Exception, epoch: Epoch, doing: Sequence[int]) -> Exception:
    """Return the error that says which image a process was at; other errors are as they are."""
    said = str(error)
    waited = "timed out" in said
    if not waited and "DataLoader worker" not in said and not isinstance(error, _GONE):
        return error
    pids = {pid: n for n, pid in enumerate(doing[::2]) if pid}
    meant = set(pids) if waited else _ended(said, set(pids))
    indices = [doing[2 * pids[pid] + 1] - 1 for pid in meant if doing[2 * pids[pid] + 1]]
    cases = epoch.samples.cases
    names = sorted({cases[epoch.draws[index].case].image.name for index in indices})
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
    """The samples of a stage; each process notes which one it is making."""

    samples: StageSamples
    doing: Any

    def __getitem__(self, request: Request) -> Sample | LaminaError:
        info = get_worker_info()
        at = 0 if info is None else 2 * info.id
        self.doing[at], self.doing[at + 1] = os.getpid(), request[1] + 1
        try:
            return self.samples[request]
        except LaminaError as error:  # as a value: the library would put a traceback before it
            return error
        finally:
            self.doing[at + 1] = 0


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
    return wrong or stacked([one for one in samples if not isinstance(one, LaminaError)])


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
