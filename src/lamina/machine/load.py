"""How busy the processors and graphics cards of this machine are."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from typing import Any

_EVERY = 2.0  # seconds between two looks
_NVML = "libnvidia-ml.so.1"  # comes with the driver
_NAME = 96  # bytes of a name


class Load:
    """Shares of time since the last look; several askers share one look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._found: dict[str, Any] = {}

    def now(self) -> dict[str, Any]:
        """Return ``cpu`` and ``memory``, shares of the machine, and ``gpus``.

        Each GPU has its ``name``, the ``share`` of time in which it worked, and ``memory``, the
        share that is used. None: not known, such as of the processor at the first look.
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
        "gpus": list(gpus()),
    }


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def gpus(library: str = _NVML) -> Iterator[dict[str, Any]]:
    """Yield what each NVIDIA GPU does, as its driver says; nothing without a driver.

    Args:
        library: NVIDIA's management library.
    """
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return
    if nvml.nvmlInit_v2() != 0:
        return
    try:
        count = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return
        for number in range(count.value):
            device = ctypes.c_void_p()
            if nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) == 0:
                yield _gpu(nvml, device)
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: ctypes.CDLL, device: ctypes.c_void_p) -> dict[str, Any]:
    name, busy, memory = ctypes.create_string_buffer(_NAME), _Utilization(), _Memory()
    nvml.nvmlDeviceGetName(device, name, _NAME)
    known = nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(busy)) == 0  # not of parts
    filled = nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0 and memory.total
    return {
        "name": name.value.decode(errors="replace"),
        "share": busy.gpu / 100 if known else None,
        "memory": memory.used / memory.total if filled else None,
    }
