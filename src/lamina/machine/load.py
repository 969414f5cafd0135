"""How busy the processors and graphics cards of this machine are."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_EVERY = 2.0  # seconds between two looks
_DRIVER = Path("/proc/driver/nvidia/version")  # where NVIDIA's driver is loaded, on Linux


class Load:
    """Shares of time since the last look; several askers share one look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._found: dict[str, Any] = {}

    def now(self) -> dict[str, Any]:
        """Return ``cpu`` and ``memory``, shares of the machine, ``gpus`` and ``unasked``.

        Each GPU has its ``name``, the ``share`` of time in which it worked, and ``memory``, the
        share that is used. None: not known, such as of the processor at the first look.
        ``unasked`` says in words why GPUs that are there are not asked; None: they are.
        """
        with self._lock:
            first = self._looked is None
            if self._looked is None or time.monotonic() - self._looked >= _EVERY:
                self._looked = time.monotonic()
                self._found = _look(first=first)
            return self._found


def _look(*, first: bool) -> dict[str, Any]:
    import psutil

    busy = psutil.cpu_percent()  # since the last call; of the first nothing is known
    return {
        "cpu": None if first else busy / 100,
        "memory": psutil.virtual_memory().percent / 100,
        "gpus": gpus(),
        "unasked": _unasked(),
    }


def gpus() -> list[dict[str, Any]]:
    """Return what each NVIDIA GPU does, as its driver says; nothing without a driver.

    NVIDIA's ``nvidia-ml-py`` asks the driver; without it nothing is known either.
    """
    try:
        import pynvml as nvml
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:  # no driver, or one that does not fit its library
        return []
    found = []
    try:
        for number in range(nvml.nvmlDeviceGetCount()):
            with suppress(nvml.NVMLError):  # such as one that fell off the bus
                found.append(_gpu(nvml.nvmlDeviceGetHandleByIndex(number)))
    finally:
        nvml.nvmlShutdown()
    return found


def _gpu(device: Any) -> dict[str, Any]:
    import pynvml as nvml

    found: dict[str, Any] = {"name": "GPU", "share": None, "memory": None}
    with suppress(nvml.NVMLError):
        found["name"] = nvml.nvmlDeviceGetName(device)
    with suppress(nvml.NVMLError):  # not told of parts of a GPU (MIG)
        found["share"] = nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
    with suppress(nvml.NVMLError):
        memory = nvml.nvmlDeviceGetMemoryInfo(device)
        found["memory"] = memory.used / memory.total if memory.total else None
    return found


def _unasked() -> str | None:
    """Return why GPUs that are there are not asked; None: they are, or there is none."""
    if find_spec("pynvml") is not None or not _DRIVER.exists():
        return None
    return "not known; pip install 'lamina[gpu]'"
