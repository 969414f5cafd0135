"""Checksums of work files, which tell one that was cut off; a digest would cost as much as writing.

They guard against a kill and a power cut, not against people: answers that stay have SHA-256.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

_PIECE = 2**20  # bytes that are read at a time


class Checksum:
    """The CRC32C of what is written, piece by piece."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._value = 0

    def update(self, values: NDArray[Any]) -> None:
        """Go on with the bytes of an array in C order, which may be empty."""
        self._value = google_crc32c.extend(self._value, values)

    @property
    def digits(self) -> str:
        """Eight hexadecimal digits."""
        return f"{self._value:08x}"


def checksum(path: Path) -> str:
    """Return the eight digits of a file.

    Raises:
        OSError: it cannot be read.
    """
    found, piece = Checksum(), np.empty(_PIECE, np.uint8)
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(piece.data):
            found.update(piece[:count])
    return found.digits
