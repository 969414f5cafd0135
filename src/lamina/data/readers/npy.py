"""Arrays in ``.npy`` files, mapped into memory; nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import name_axes
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within

_KEEP_OPEN = 64 << 20
"""Files of at least this many bytes stay mapped between reads; each map holds a descriptor."""


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
        array = self._map()
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{path}: holds {array.dtype}, not numbers; save booleans, integers or floats"
            )
        size, said = self.path.stat().st_size, array.offset + array.nbytes
        if size != said:
            raise DataError(
                f"{path}: has {size} bytes where its header says {said}; save one array per file"
            )
        default = {2: "yx", 3: "zyx"}.get(array.ndim)
        named = axes or default
        if named is None or len(named) != array.ndim:
            raise DataError(
                f"{path}: has {array.ndim} axes {array.shape}, but "
                + (f"'{axes}' names {len(axes)}" if axes else "only 2 or 3 are named by default")
                + "; set data.axes to match, with 'c' for channels"
            )
        self.axes, self._channel = name_axes(self.path, named)
        lengths = list(array.shape)
        self._channels = 1 if self._channel is None else lengths.pop(self._channel)
        self._shape = tuple(lengths)
        self._dtype: np.dtype[Any] = array.dtype.newbyteorder("=")
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
        return self._dtype

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
            if array.ndim != len(self._shape) + (self._channel is not None):
                raise DataError(f"{self.path}: changed while it was in use; run again")
            if array.nbytes >= _KEEP_OPEN:
                self._kept = array
        array = array[None] if self._channel is None else np.moveaxis(array, self._channel, 0)
        if array.shape != (self._channels, *self._shape):
            raise DataError(f"{self.path}: changed while it was in use; run again")
        return np.array(array[(slice(None), *region.slices)], dtype=self._dtype, order="C")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _map(self) -> np.memmap[Any, Any]:
        try:
            return np.lib.format.open_memmap(self.path, mode="r")
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except (OSError, ValueError, OverflowError, EOFError) as error:
            raise DataError(
                f"{self.path}: not a whole .npy file of numbers ({error}); save it again"
            ) from error
