"""Cores, threads and number types of the processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted
from lamina.machine.cores import Cores, workers_and_threads
from lamina.model.modules.narrow_convolution import is_wrong_here
from lamina.prediction.tiling.memory import available_memory
from lamina.prediction.tiling.precision import fast_on_cpu


@dataclass(frozen=True)
class Processor:
    """Torch should use the cores that this process may use, no fewer and no more."""

    name: str = "processor"
    area: Area = "machine"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the cores and the processes that suit them; say whether bfloat16 is fast."""
        yield from self._cores(found := Cores.here())
        cores, threads = found.allowed, torch.get_num_threads()
        said = f"{threads} threads of torch, {cores} cores for this process"
        if threads > cores:
            remedy = f"set OMP_NUM_THREADS={cores}; threads sharing a core slow each other down"
            yield Finding("warning", "threads", said, remedy)
        elif threads < cores and "OMP_NUM_THREADS" in os.environ:
            set_to = os.environ["OMP_NUM_THREADS"]
            yield Finding("note", "threads", f"{said} (OMP_NUM_THREADS is {set_to})")
        else:
            yield Finding("fine", "threads", said)
        fast = fast_on_cpu()
        what = f"fast here ({fast}); precision auto uses it" if fast else "no faster than float32"
        yield Finding("fine", "bfloat16", what)
        if fast and is_wrong_here():
            said = (
                "wrong on this processor where they stride down to one place along the last axis "
                "(pytorch#169688); these are computed in float32"
            )
            yield Finding("note", "bfloat16 convolutions of volumes", said)

    @staticmethod
    def _cores(cores: Cores) -> Iterator[Finding]:
        if cores.load is not None and cores.load > cores.machine:
            remedy = "wait for other programs, or let processes of one thread predict: --workers"
            yield Finding("note", "cores", str(cores), remedy)
        else:
            yield Finding("fine", "cores", str(cores))
        count, threads = workers_and_threads(cores.allowed, available_memory())
        said = f"{count} processes" if count > 1 else "1 process"
        each = counted(threads, "thread")
        yield Finding("fine", "predict --workers auto", f"{said} of {each}, by cores and memory")
