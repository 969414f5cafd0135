"""Grey PNG files without an imaging library."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_grey(image: NDArray[Any]) -> bytes:
    """Return an image as the bytes of an 8-bit grey PNG file.

    Args:
        image: (H, W) uint8, at least one pixel.

    Raises:
        ValueError: another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"a grey PNG holds (H, W) uint8, not {image.shape} {image.dtype}")
    rows, columns = image.shape
    # Each row as differences to the pixel on the left (filter 1), modulo 256.
    lines = np.empty((rows, columns + 1), np.uint8)
    lines[:, 0], lines[:, 1] = 1, image[:, 0]
    np.subtract(image[:, 1:], image[:, :-1], out=lines[:, 2:])
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
