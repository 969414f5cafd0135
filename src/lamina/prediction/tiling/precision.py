"""Device and number type of the forward pass: what was asked for, or what is fast here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lamina.errors import RecipeError

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = ("amx_bf16", "avx512_bf16")
_TWICE = ("AuthenticAMD", "HygonGenuine")
"""Makers whose AVX512-BF16 multiplies twice as many numbers at a time as float32 does."""

PRECISIONS = {
    "float32": None,
    "tf32": None,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Types for autocast by name; None: float32, see ``float32_products`` for tf32."""

_CAST = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Layers whose weights autocast casts; of three axes some are computed in float32 by hooks."""

_TF32 = (8, 0)
"""The compute capability from which GPUs know TF32."""


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
        precision: ``auto``, ``float32``, ``tf32``, ``bfloat16`` or ``float16``. ``auto`` is
            bfloat16 on a processor that computes faster in it and on a GPU that has it, else
            float32.
        device: Where the network runs.
    """
    if precision != "auto":
        return PRECISIONS[precision]
    if device.type == "cpu":
        return torch.bfloat16 if fast_on_cpu() else None
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


def fast_on_cpu(cpuinfo: Path = _CPUINFO) -> str | None:
    """Return the instruction set that makes bfloat16 faster than float32 here, or None.

    AMX does, and AVX512-BF16 of AMD. On processors of Intel whose AMX is missing, or hidden by a
    virtual machine, products by AVX512-BF16 take 1.8 times as long as those of float32.
    """
    found = bfloat16_instructions(cpuinfo)
    if found == "avx512_bf16" and not any(maker in _words(cpuinfo) for maker in _TWICE):
        return None
    return found


def bfloat16_instructions(cpuinfo: Path = _CPUINFO) -> str | None:
    """Return the instruction set with which this processor computes in bfloat16, or None.

    Only where torch itself uses AVX-512: without it bfloat16 is slower than float32.
    """
    if not torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX")):
        return None
    words = _words(cpuinfo)
    return next((name for name in _BFLOAT16 if name in words), None)


def _words(cpuinfo: Path) -> set[str]:
    try:
        return set(cpuinfo.read_text(encoding="utf-8").split())
    except OSError:
        return set()


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
        for word in ("cpu", torch.backends.cpu.get_cpu_capability(), bfloat16_instructions() or "")
        if word
    )


def cast_weights(network: nn.Module, precision: torch.dtype | None) -> nn.Module:
    """Cast weights of convolutions and linear layers to the type of autocast; return the network.

    Autocast itself would cast them in every forward pass, to the same bits. Layers that are of a
    class of their own, and may do otherwise with their weights, are left as they are.
    """
    if precision is not None:
        for module in network.modules():
            if type(module) in _CAST:
                module.to(precision)
    return network


def uses_tf32(device: torch.device, precision: str) -> bool:
    """Whether a recipe's precision rounds float32 to TF32 there."""
    if device.type != "cuda" or precision != "tf32":
        return False
    return torch.cuda.get_device_capability(device) >= _TF32


@contextmanager
def float32_products(device: torch.device, precision: str) -> Iterator[None]:
    """Compute float32 convolutions and matrix products as a recipe's precision says, for the block.

    With ``tf32`` a GPU rounds their factors to 10 bits of mantissa, with any other precision it
    does not; by itself torch does so in convolutions. Other devices are left as they are.
    """
    if device.type != "cuda":
        yield
        return
    backends: Any = torch.backends
    places = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


@contextmanager
def same_arithmetic(device: torch.device, precision: str) -> Iterator[None]:
    """Compute with equal bytes every time, for the block: see ``float32_products``.

    A GPU that tries which algorithm is fastest may choose another one the next time.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    with float32_products(device, precision):
        if device.type == "cuda":
            cudnn.benchmark, cudnn.deterministic = False, True
        try:
            yield
        finally:
            cudnn.benchmark, cudnn.deterministic = before


def name_of(precision: torch.dtype | None) -> str:
    """Return ``float32``, ``bfloat16`` or ``float16``."""
    return str(precision or torch.float32).removeprefix("torch.")


def explain(precision: torch.dtype | None, device: torch.device, *, tf32: bool = False) -> str:
    """Return the sentence for logs that says what was chosen.

    Args:
        precision: Type for autocast, or None.
        device: Where networks run.
        tf32: Whether float32 is rounded to TF32.

    Example:
        >>> explain(None, torch.device("cpu"))
        'device cpu, float32'
    """
    line = f"device {device}, {name_of(precision)}{' by TF32' if tf32 else ''}"
    if precision is torch.bfloat16 and device.type == "cpu":
        return f"{line} ({fast_on_cpu() or 'no fast instructions for it on this processor'})"
    return line
