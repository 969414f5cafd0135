"""Grey 16-bit TIFF files without an imaging library, written from the first row to the last."""

from __future__ import annotations

import struct

_SHORT, _LONG = 3, 4


def begin_grey16(shape: tuple[int, int]) -> bytes:
    """Return what stands before the pixels of an uncompressed 16-bit grey TIFF file.

    Pixels follow row by row as little-endian unsigned 16-bit numbers, all in one strip, so that
    an image larger than the memory can be written and mapped (TIFF 6.0, sections 2 to 4).

    Args:
        shape: Rows and columns.

    Raises:
        ValueError: there is no pixel, or there are 4 GiB of them or more.
    """
    rows, columns = shape
    size = 2 * rows * columns
    tags = (
        (256, _LONG, columns),
        (257, _LONG, rows),
        (258, _SHORT, 16),
        (259, _SHORT, 1),  # not compressed
        (262, _SHORT, 1),  # 0 is black
        (273, _LONG, 0),  # where the strip begins
        (277, _SHORT, 1),
        (278, _LONG, rows),
        (279, _LONG, size),
    )
    before = 8 + 2 + 12 * len(tags) + 4
    if min(rows, columns) < 1 or before + size >= 1 << 32:
        raise ValueError(f"a TIFF file holds 1 pixel to 4 GiB of them, not {shape} of 16 bit")
    entries = [
        struct.pack("<HHII", tag, kind, 1, before if tag == 273 else value)
        for tag, kind, value in tags
    ]
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
    return b"".join([head, *entries, struct.pack("<I", 0)])
