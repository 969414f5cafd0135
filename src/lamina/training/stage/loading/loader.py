"""From draws to batches, made in this process or by others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from lamina.machine.cores import allowed_cores
from lamina.progress import say
from lamina.training.stage.loading.processes import LoaderProcesses, WorkerError
from lamina.training.stage.loading.samples import Batch, Epoch, stacked


def batches(epoch: Epoch, groups: Sequence[list[int]], *, workers: int) -> Iterator[Batch]:
    """Yield the batches of ``groups`` in order, made by ``workers`` processes (0: in this one).

    Args:
        epoch: The samples.
        groups: Numbers of the samples of each batch.
        workers: Number of processes.

    Raises:
        ResourceError: a process was killed, most likely for want of memory, or takes too long; the
            message names the image that it was reading.
        LaminaError: an image cannot be read, as the process said.
    """
    if workers:
        yield from LoaderProcesses(workers).batches(epoch, groups)
        return
    for group in groups:
        yield stacked([epoch[index] for index in group])


class BatchLoader:
    """Makes the batches of a stage, by processes that live as long as it does.

    Where a process is killed, the batches that are missing are made by half as many processes,
    once.
    """

    def __init__(self, workers: int, *, pin: bool = False) -> None:
        """Begin without a process.

        Args:
            workers: Number of processes; 0: batches are made in this one.
            pin: Whether batches lie in memory that GPUs copy from by themselves.
        """
        self._workers, self._pin = workers, pin
        self._processes = LoaderProcesses(workers, pin=pin) if workers else None
        self._replaced = False

    def batches(self, epoch: Epoch, groups: Sequence[list[int]]) -> Iterator[Batch]:
        """Yield the batches of ``groups`` in order.

        Raises:
            ResourceError: as of ``batches``; of killed processes the second time.
            LaminaError: an image cannot be read.
        """
        if self._processes is None:
            yield from batches(epoch, groups, workers=0)
            return
        done = 0
        try:
            for batch in self._processes.batches(epoch, groups):
                yield batch
                done += 1
        except WorkerError as error:
            if self._replaced or error.waited:
                raise
            self._replaced, self._workers = True, max(self._workers // 2, 1)
            say(f"{error}; going on with {self._workers} loader processes")
            self._processes = LoaderProcesses(self._workers, pin=self._pin)
            yield from self._processes.batches(epoch, groups[done:])


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
