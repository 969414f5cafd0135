"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path


def allowed_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: by its affinity and its control group."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        most, period = quota.read_text(encoding="utf-8").split()
        return min(cores, max(1, round(int(most) / int(period))))
    except (OSError, ValueError):  # no such group, or "max"
        return cores
