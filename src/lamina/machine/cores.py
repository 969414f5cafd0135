"""The processor, how many cores this process may use, and the processes that suit them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")

WORKER_BYTES = 3 * 2**29
"""Bytes that a process which predicts is taken to need, where ``--memory`` does not say it."""


@dataclass(frozen=True)
class Cores:
    """The cores of this process."""

    machine: int
    """Those of the machine."""
    affinity: int
    """Those that it may run on."""
    quota: float | None
    """Cores' worth of time that its control group has; None: there is no limit."""
    load: float | None
    """Processes of the machine that ran or waited for a core in the last minute; None: the system
    does not say."""

    @classmethod
    def here(cls, quota: Path = _QUOTA) -> Cores:
        """Return those of this process, now."""
        machine = os.cpu_count() or 1
        own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return cls(machine, own, _quota(quota), load)

    @property
    def allowed(self) -> int:
        """How many it may use: the least of affinity and quota, at least 1."""
        if self.quota is None:
            return self.affinity
        return min(self.affinity, max(1, round(self.quota)))

    def __str__(self) -> str:
        """Return it in words."""
        quota = "no quota" if self.quota is None else f"{self.quota:g} by quota"
        load = "" if self.load is None else f"; load {self.load:.1f}"
        by = f"{self.affinity} by affinity, {quota}"
        return f"{self.allowed} of {self.machine} for this process ({by}){load}"


def allowed_cores(quota: Path = _QUOTA) -> int:
    """Return how many cores this process may use: by its affinity and its control group."""
    return Cores.here(quota).allowed


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor, such as "AMD EPYC 9B14"; its architecture if unknown."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in lines)
    names = (value.strip() for key, _, value in pairs if key.strip() == "model name")
    return next(names, "") or platform.processor() or platform.machine()


def workers_and_threads(cores: int, free: int, each: int = WORKER_BYTES) -> tuple[int, int]:
    """Return how many processes work on a CPU, and the threads of each.

    Processes of one thread, since threads that wait for each other fall behind on a busy machine;
    more threads only where the memory holds fewer processes than a quarter of the cores.

    Args:
        cores: That this process may use.
        free: Bytes of memory.
        each: Bytes of a process; none: as many as it is taken to need.

    Example:
        >>> workers_and_threads(8, 2**40, 2**30), workers_and_threads(16, 2**31, 2**30)
        ((8, 1), (2, 8))
    """
    count = max(min(cores, free // max(each, 1)), 1)
    return count, cores // count if count < cores / 4 else 1


def _quota(path: Path) -> float | None:
    try:
        most, period = path.read_text(encoding="utf-8").split()
        return int(most) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max"
        return None
