"""Memory: kept between forward passes, measured, and shared out to batches.

glibc gives big blocks back to the kernel as soon as they are free, and every forward pass then
takes fresh zeroed pages again; on a CPU that costs more than half of the time (1.3 to 1.7 times
faster with the memory kept).
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import ResourceError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

LARGEST_BATCH = 8
"""Beyond this many tiles a forward pass gains nothing on a CPU."""

LARGEST_BATCH_ON_GPU = 64

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_THRESHOLDS = ((2**30, 2**31 - 1), (2**25, 2**31 - 1))  # older glibc takes 32 MiB at most

_UNKNOWN = 2**32


def keep_memory() -> bool:
    """Make glibc keep freed memory for the next allocation; return whether it does.

    The process keeps its high-water mark. Calling it again changes nothing; other systems are
    left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return any(mallopt(_MMAP, mmap) and mallopt(_TRIM, trim) for mmap, trim in _THRESHOLDS)


def give_back() -> None:
    """Give the kernel the free pages between blocks of glibc that are in use.

    ``keep_memory`` lets them stay, in pieces too small for what is asked for next, so that the
    memory held grows with the number of units: a volume of 512 x 512 x 512 in bands took 310 MiB
    with this call before each of them, and 388 to 452 MiB without. Other systems are left as they
    are.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def available_memory() -> int:
    """Return the bytes this process may still take: of the machine or of its control group."""
    limits = [_UNKNOWN]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                limits = [int(line.split()[1]) * 1024]
    elif hasattr(os, "sysconf"):
        limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2]
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="utf-8"))
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        limits.append(max(limit - used, 0))
    except (OSError, ValueError):  # no such group, or "max"
        pass
    return min(limits)


def used_memory() -> int:
    """Return the bytes of memory that this process holds now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def activations(network: nn.Module, sample: Tensor, precision: torch.dtype | None) -> int:
    """Return an upper bound of the bytes one sample needs while it passes ``network``.

    The sum of the outputs of all layers, as if none were freed before the end, and what is made of
    an answer in float32: probabilities, the same turned back, and the sum over views.

    Args:
        network: In evaluation mode.
        sample: (1, C, H, W) on the network's device.
        precision: Type for autocast, or None.
    """
    import torch

    total = sample.nbytes

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.nbytes

    leaves = [module for module in network.modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    try:
        with (
            torch.inference_mode(),
            torch.autocast(sample.device.type, dtype=precision, enabled=precision is not None),
        ):
            answer = network(sample)
    finally:
        for hook in hooks:
            hook.remove()
    return total + 3 * 4 * int(answer.numel())


def measured_peak(network: nn.Module, sample: Tensor, precision: torch.dtype | None) -> int:
    """Return the bytes of a GPU that a forward pass of one sample takes at most, and its answers.

    What does not grow with a batch, such as the room that convolutions work in, is counted too.

    Args:
        network: In evaluation mode, on the GPU.
        sample: (1, C, *S) on the GPU.
        precision: Type for autocast, or None.
    """
    import torch

    def passed() -> None:
        with (
            torch.inference_mode(),
            torch.autocast(sample.device.type, dtype=precision, enabled=precision is not None),
        ):
            network(sample)

    passed()  # what is taken once, and stays
    torch.cuda.reset_peak_memory_stats(sample.device)
    before = torch.cuda.memory_allocated(sample.device)
    passed()
    peak = torch.cuda.max_memory_allocated(sample.device) - before
    return peak + 4 * sample.nbytes  # batches as cut, turned and laid out


def fit_batch(
    each: int, fixed: int, limit: int, *, wanted: int | None = None, most: int = LARGEST_BATCH
) -> int:
    """Return how many tiles fit a forward pass.

    Args:
        each: Bytes a tile needs.
        fixed: Bytes needed whatever the batch: the process, the image, the answer.
        limit: Bytes allowed.
        wanted: Tiles that were asked for; None: as many as fit, up to ``most``.
        most: Largest batch that nobody asked for.

    Raises:
        ResourceError: not even one tile fits, or not as many as are wanted; the message names the
            smallest limit that works.
    """
    batch = (limit - fixed) // max(each, 1)
    if batch < 1:
        smallest = -(-(fixed + each) // 2**20)
        raise ResourceError(
            f"--memory {limit / 2**20:.0f}M is too little: one tile with its image and answer "
            f"needs {smallest}M; pass --memory {smallest}M or more, or a smaller predict.tile"
        )
    if wanted is not None and batch < wanted:
        smallest = -(-(fixed + wanted * each) // 2**20)
        raise ResourceError(
            f"--memory {limit / 2**20:.0f}M is too little for {wanted} tiles per forward pass, "
            f"which need {smallest}M; pass --batch {batch} or less, or --memory {smallest}M or more"
        )
    return min(batch, most) if wanted is None else wanted


def batch_size(tiles: int, most: int) -> int:
    """Return the one size of all batches: above half of ``most``, with the least padding.

    Example:
        >>> [batch_size(tiles, 8) for tiles in (3, 8, 9, 25, 100)]
        [3, 8, 5, 5, 5]
    """
    most = min(most, tiles)
    return min(range(most // 2 + 1, most + 1), key=lambda size: (-(-tiles // size) * size, -size))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a device or on the host."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def release() -> None:
    """Free what a failed forward pass left."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
