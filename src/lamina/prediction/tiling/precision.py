"""Device and number type of the forward pass: what was asked for, or what is fast here."""

from __future__ import annotations

from pathlib import Path

import torch

from lamina.errors import RecipeError

_FAST = ("amx_bf16", "avx512_bf16")
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Types for autocast by name; None: plain float32."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``auto``: cuda, else mps, else cpu.

    Raises:
        RecipeError: there is no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RecipeError(
            f"--device is '{name}'; it must be auto, cpu, cuda, cuda:1 or mps"
        ) from None
    count = torch.cuda.device_count()
    missing = device.type == "cuda" and (device.index or 0) >= count
    if missing or (device.type == "mps" and not torch.backends.mps.is_available()):
        raise RecipeError(
            f"--device is '{name}', and torch sees {count} CUDA devices here; pass --device auto"
        )
    return device


def choose(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type for autocast, or None for plain float32.

    Args:
        precision: ``auto``, ``float32``, ``bfloat16`` or ``float16``. ``auto`` is bfloat16 on a
            processor with AMX or AVX512-BF16 and on a GPU that has it, else float32.
        device: Where the network runs.
    """
    if precision != "auto":
        return PRECISIONS[precision]
    if device.type == "cpu":
        return torch.bfloat16 if fast_on_cpu() else None
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


def fast_on_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return the instruction set that makes bfloat16 fast on this processor, or None.

    Only where torch itself uses AVX-512: without it bfloat16 is slower than float32.
    """
    if not torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX")):
        return None
    try:
        words = cpuinfo.read_text(encoding="utf-8").split()
    except OSError:
        return None
    return next((name for name in _FAST if name in words), None)


def device_kind(device: torch.device) -> str:
    """Return the kind of a device: equal kinds compute the same bytes with the same libraries.

    Of a GPU that is its name and compute capability, of a processor the instructions that torch
    uses.
    """
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"{torch.cuda.get_device_name(device)} {major}.{minor}"
    if device.type != "cpu":
        return device.type
    return " ".join(
        word
        for word in ("cpu", torch.backends.cpu.get_cpu_capability(), fast_on_cpu() or "")
        if word
    )


def uses_tf32(device: torch.device, precision: torch.dtype | None) -> bool:
    """Whether float32 may be rounded to TF32 there."""
    if device.type != "cuda" or precision is not None:
        return False
    return bool(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)


def name_of(precision: torch.dtype | None) -> str:
    """Return ``float32``, ``bfloat16`` or ``float16``."""
    return str(precision or torch.float32).removeprefix("torch.")


def explain(precision: torch.dtype | None, device: torch.device) -> str:
    """Return the sentence for logs that says what was chosen.

    Example:
        >>> explain(None, torch.device("cpu"))
        'device cpu, float32'
    """
    line = f"device {device}, {name_of(precision)}"
    if precision is torch.bfloat16 and device.type == "cpu":
        return f"{line} ({fast_on_cpu() or 'no fast instructions for it on this processor'})"
    return line
