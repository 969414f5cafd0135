"""Arrays in ``.npy`` files, mapped into memory; nothing is ever unpickled."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import name_axes
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import Format
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within

_KEEP_OPEN = 64 << 20
"""Files of at least this many bytes stay mapped between reads; each map holds a descriptor."""


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran: bool
    stored: np.dtype[Any]
    offset: int


class NpyVolume:
    """One array in one ``.npy`` file, of two or three spatial axes.

    Without a ``c`` in ``axes`` it has one channel; with one, that axis becomes the channels.
    Booleans, integers and floats are read as they are stored, in the machine's byte order.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        """Read the header of ``path``; the pixels stay on disk.

        Raises:
            DataError: the file is cut off, longer than its header says, holds no plain numbers,
                or does not have the axes named.
        """
        self.path = Path(path)
        self._header = head = _header(self.path)
        default = {2: "yx", 3: "zyx"}.get(len(head.shape))
        named = axes or default
        if named is None or len(named) != len(head.shape):
            raise DataError(
                f"{path}: has {len(head.shape)} axes {head.shape}, but "
                + (f"'{axes}' names {len(axes)}" if axes else "only 2 or 3 are named by default")
                + "; set data.axes to match, with 'c' for channels"
            )
        self.axes, self._channel = name_axes(self.path, named)
        lengths = list(head.shape)
        self._channels = 1 if self._channel is None else lengths.pop(self._channel)
        self._shape = tuple(lengths)
        self._kept: NDArray[Any] | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self._shape

    @property
    def channels(self) -> int:
        """1, or the length of the axis named ``c``."""
        return self._channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, in the machine's byte order."""
        native: np.dtype[Any] = self._header.stored.newbyteorder("=")
        return native

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One voxel: the file is mapped."""
        return (1,) * len(self._shape)

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time, and of its axes."""
        return stamp_of(self.path, [self.path], self.axes, self._channel)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the file is gone, or no longer what it was when it was opened.
        """
        check_within(self, region)
        array = self._kept
        if array is None:
            array = self._map()
            if array.nbytes >= _KEEP_OPEN:
                self._kept = array
        array = array[None] if self._channel is None else np.moveaxis(array, self._channel, 0)
        return np.array(array[(slice(None), *region.slices)], dtype=self.dtype, order="C")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _map(self) -> NDArray[Any]:
        if _header(self.path) != self._header:
            raise DataError(f"{self.path}: changed while it was in use; run again")
        head = self._header
        order: Literal["C", "F"] = "F" if head.fortran else "C"
        array = np.memmap(self.path, head.stored, "r", head.offset, head.shape, order)
        return array.view(np.ndarray)  # whose parts are made in a third of the time


def _header(path: Path) -> _Header:
    """Read the header and compare it with the size of the file, before any memory is taken."""
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"format version {version}")  # 3 holds names of fields
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(stream)
            offset, size = stream.tell(), stream.seek(0, io.SEEK_END)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, OverflowError, EOFError) as error:
        raise DataError(f"{path}: its .npy header cannot be read ({error})") from error
    if dtype.kind not in "biuf":
        raise DataError(f"{path}: holds {dtype}, not numbers; save booleans, integers or floats")
    said = offset + math.prod(shape) * dtype.itemsize
    if size != said:
        remedy = "copy it again" if size < said else "save one array per file"
        raise DataError(f"{path}: has {size} bytes where its header says {said}; {remedy}")
    if 0 in shape:
        raise DataError(f"{path}: holds no pixels, its shape is {shape}")
    return _Header(tuple(shape), bool(fortran), dtype, offset)


NPY = Format(
    name="NPY",
    suffixes=(".npy",),
    magic=(b"\x93NUMPY",),
    open=lambda path, options: NpyVolume(path, options.axes or ("zyx" if options.stack else None)),
)
