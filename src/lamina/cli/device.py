"""The words after ``--device`` and ``--devices``, checked without importing torch."""

from __future__ import annotations

import re
import sys

from lamina.errors import RecipeError

_WORD = re.compile(r"auto|cpu|(cuda|mps)(:\d+)?")


def check_device(name: str) -> None:
    """Refuse a word that is no device, and a GPU where there is surely none.

    Raises:
        RecipeError: it is not one of those words, the torch that is installed has no CUDA, or
            there is no driver.
    """
    if not _WORD.fullmatch(name):
        raise RecipeError(f"--device is '{name}'; it must be auto, cpu, cuda, cuda:1 or mps")
    reason = _no_cuda() if name.startswith("cuda") else None
    if reason is not None:
        raise RecipeError(f"--device is '{name}', and {reason}; pass --device auto")


def check_devices(names: str | None, device: str) -> None:
    """Do as ``check_device``, and the same for the words of ``--devices``.

    Raises:
        RecipeError: such a word, or both are given.
    """
    check_device(device)
    if names is None:
        return
    from lamina.machine.device_names import devices_of

    if device != "auto":
        raise RecipeError("--device and --devices are both given; leave one of them out")
    gpus = names == "all" or any(one.kind == "cuda" for one in devices_of(names))
    reason = _no_cuda() if gpus else None
    if reason is not None:
        raise RecipeError(f"--devices is '{names}', and {reason}; write processes such as cpu:2")


def _no_cuda() -> str | None:
    """Return why there cannot be a CUDA device; None: torch itself must tell."""
    import ctypes
    from importlib.metadata import PackageNotFoundError, version

    try:
        build = version("torch")
    except PackageNotFoundError:
        return "torch is not installed"
    if build.endswith("+cpu"):
        return f"torch {build} is built for CPUs only"
    if sys.platform != "linux" or "rocm" in build:
        return None
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed"
    return None
