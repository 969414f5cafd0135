"""A reader as a contributor would write it: grey images of the Netpbm family, 8 bits, binary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.format import Format
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within


@dataclass(frozen=True)
class PgmFile:
    """One image of 8 bits, axes ``"yx"``."""

    path: Path
    shape: tuple[int, ...]
    offset: int
    axes: str = "yx"
    channels: int = 1

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(1, *region.shape)``."""
        check_within(self, region)
        pixels = np.fromfile(self.path, np.uint8, offset=self.offset).reshape(self.shape)
        return np.array(pixels[region.slices])[None]


def open_pgm(path: Path) -> PgmFile:
    """Read the header: ``P5``, columns, rows and 255, each followed by one white space."""
    head = path.read_bytes()[:64].split(maxsplit=4)
    try:
        columns, rows, top = (int(one) for one in head[1:4])
    except ValueError:
        raise DataError(f"{path}: its header is damaged; save it again") from None
    offset = len(b" ".join(head[:4])) + 1
    if top != 255 or path.stat().st_size != offset + rows * columns:
        raise DataError(f"{path}: is no image of 8 bits, or is cut off; save it again")
    return PgmFile(path, (rows, columns), offset)


PGM = Format(
    name="PGM",
    suffixes=(".pgm",),
    magic=(b"P5",),
    plane=True,
    open=lambda path, options: open_pgm(path),
)
