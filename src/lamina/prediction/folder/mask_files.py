"""Masks as files that any viewer opens.

========== ================== ============================================
task       image              volume
========== ================== ============================================
binary     PNG, 0 or 255      TIFF, a page per slice, 0 or 255
multiclass PNG of class ids   TIFF of class ids, a page per slice
multilabel a file for each class, in a folder of its name, as of a binary task
restore    TIFF of float32 (or bytes), a page per channel (and slice)
========== ================== ============================================

Earlier versions wrote multilabel as one TIFF with a page per class, or the slices of each class in
turn; such folders are read and continued so.

A large image, which is written band by band, is a TIFF of tiles of 256 x 256 pixels with the same
pages and values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.files import write_bytes, write_with
from lamina.refusals import reading
from lamina.task import Task

_TIFF = 2**32 - 2**25  # bytes; beyond them offsets need 64 bits

_SIDE = 256  # pixels of a tile

_BUFFER = 2**24  # bytes that are packed at once; tifffile itself takes 512 MiB on four cores


def suffix(task: Task, axes: int, *, banded: bool = False) -> str:
    """Return the suffix of a mask with that many spatial axes; ``banded``: of a large image."""
    flat = axes == 2 and not banded
    return ".png" if flat and task.kind in ("binary", "multiclass") else ".tif"


def write_mask(path: Path, answer: NDArray[Any], task: Task) -> str:
    """Write masks (K, *S), bool, or values of restore; return the file's SHA-256."""
    if answer.ndim == 4:
        kind = np.uint8 if answer.dtype == np.uint8 else np.float32
        return write_slabs(path, lambda: (answer,), task, answer.shape, values=kind)
    pixels = _pixels(answer, task)
    if path.suffix == ".png":
        return write_bytes(path, cv2.imencode(".png", pixels)[1].tobytes())

    def write(target: Path) -> None:
        tifffile.imwrite(target, pixels, photometric="minisblack", compression="zlib")

    return write_with(path, write)


def write_slabs(
    path: Path,
    slabs: Callable[[], Iterable[NDArray[Any]]],
    task: Task,
    shape: tuple[int, ...],
    *,
    values: type[np.generic] = np.float32,
) -> str:
    """Write the masks of a volume slab by slab; return the file's SHA-256.

    Args:
        path: A TIFF file.
        slabs: Returns masks (K, t, H, W), as for ``write_mask``, in the order of the first axis;
            it is called once, or once for each class of multilabel and channel of restore.
        task: What the outputs mean.
        shape: (K, Z, H, W) of all slabs together.
        values: Type of restored values.
    """
    layered = task.kind in ("multilabel", "restore")

    def pages() -> Iterator[NDArray[Any]]:
        for k in range(shape[0] if layered else 1):
            for slab in slabs():
                pixels = _pixels(slab[k : k + 1] if layered else slab, task)
                yield from pixels[0] if layered else pixels

    dtype = _dtype(task, shape[0], values)
    return _write_parts(path, pages(), shape if layered else shape[1:], dtype)


def write_bands(
    path: Path,
    slabs: Callable[[], Iterable[NDArray[Any]]],
    task: Task,
    shape: tuple[int, ...],
    *,
    values: type[np.generic] = np.float32,
) -> str:
    """Write the mask of a large image band by band, in tiles; return the file's SHA-256.

    Args:
        path: A TIFF file.
        slabs: Returns masks (K, n, W), as for ``write_mask``, from the first row to the last; it
            is called once, or once for each class of multilabel and channel of restore.
        task: What the outputs mean.
        shape: (K, H, W) of all bands together.
        values: Type of restored values.
    """
    layered = task.kind in ("multilabel", "restore")
    dtype = _dtype(task, shape[0], values)

    def tiles() -> Iterator[NDArray[Any]]:
        for k in range(shape[0] if layered else 1):
            parts = (_pixels(slab[k : k + 1] if layered else slab, task) for slab in slabs())
            flat = (part[0] if part.ndim == 3 else part for part in parts)
            yield from _tiles(flat, shape[2], dtype)

    size = shape if layered else shape[1:]
    return _write_parts(path, tiles(), size, dtype, tile=(_SIDE, _SIDE))


def _dtype(task: Task, outputs: int, values: type[np.generic]) -> np.dtype[Any]:
    """Return the type of the pixels that masks, or restored values of a type, are written as."""
    nothing: NDArray[Any] = np.zeros((outputs, 1, 1), values if task.kind == "restore" else bool)
    return _pixels(nothing, task).dtype


def _write_parts(
    path: Path,
    parts: Iterator[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    tile: tuple[int, int] | None = None,
) -> str:
    """Write pages, or tiles, as they come; return the file's SHA-256."""

    def write(target: Path) -> None:
        tifffile.imwrite(
            target,
            parts,
            shape=shape,
            dtype=dtype,
            tile=tile,
            photometric="minisblack",
            compression="zlib",
            buffersize=_BUFFER,
            bigtiff=math.prod(shape) * dtype.itemsize > _TIFF,
        )

    return write_with(path, write)


def _tiles(
    bands: Iterable[NDArray[Any]], width: int, dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Yield the tiles of rows (n, width) that come in bands, filled up with 0 at the ends."""
    line = np.zeros((_SIDE, -(-width // _SIDE) * _SIDE), dtype)
    filled = 0
    for band in bands:
        taken = 0
        while taken < len(band):
            some = band[taken : taken + _SIDE - filled]
            line[filled : filled + len(some), :width] = some
            filled, taken = filled + len(some), taken + len(some)
            if filled == _SIDE:
                yield from _cut(line)
                filled = 0
    if filled:
        line[filled:] = 0
        yield from _cut(line)


def _cut(line: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for left in range(0, line.shape[1], _SIDE):
        yield line[:, left : left + _SIDE].copy()  # threads pack it while the line is filled anew


def read_mask(path: Path, task: Task, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return (K, *shape): bool, or the values of restore as they are stored.

    Raises:
        DataError: the file is missing, damaged or of another shape.
    """
    with reading(path, remedy="run the same predict again"):
        if path.suffix == ".png":
            pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        else:
            pixels = tifffile.imread(path)
    channels = 1 if task.kind in ("binary", "multiclass") else task.outputs
    if pixels is None or pixels.size != channels * int(np.prod(shape)):
        raise DataError(f"{path}: not a mask of {shape}; run the same predict again")
    pixels = pixels.reshape(channels, *shape)
    if task.kind == "restore":
        return pixels
    if task.kind == "multiclass":
        return np.asarray(pixels == np.arange(task.outputs).reshape(-1, *[1] * len(shape)))
    return np.asarray(pixels > 0)


def _pixels(answer: NDArray[Any], task: Task) -> NDArray[Any]:
    match task.kind:
        case "restore":
            kind = np.uint8 if answer.dtype == np.uint8 else np.float32
            return np.ascontiguousarray(answer, dtype=kind)
        case "binary":
            return np.asarray(answer[0], np.uint8) * np.uint8(255)
        case "multilabel":
            return np.asarray(answer, np.uint8) * np.uint8(255)
        case "multiclass":
            ids = answer.argmax(axis=0)
            return np.asarray(ids, np.uint8 if len(answer) <= 256 else np.uint16)
