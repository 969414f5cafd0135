"""The chain of page directories in a TIFF file, walked to its end.

A file that was cut, or whose writing was interrupted, has a chain that points behind the last
byte. Libraries stop there and return the pages they found; here it is an error.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from lamina.errors import DataError

# Kind of page, size, bits, compression, photometric, orientation, samples, rows per strip,
# planes, predictor, tile size, sample format: what pages of one stack must agree on.
_ALIKE = (254, 256, 257, 258, 259, 262, 274, 277, 278, 284, 317, 322, 323, 339)

_SUBFILE = 254

# Bytes of one value by TIFF type.
_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_WIDTH |= {16: 8, 17: 8, 18: 8}


def count_pages(path: Path) -> int:
    """Return how many full pages a TIFF file (classic or BigTIFF, either byte order) has.

    Smaller copies of a page (the levels of a pyramid, previews) are marked as such, may differ
    from the page, and are not counted.

    Raises:
        DataError: the chain leaves the file, runs in a circle, or its pages differ in size, type
            or coding; the message names the page.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            return _walk(path, stream, size)
        except struct.error:
            raise DataError(f"{path}: is cut off at byte {size}; copy it again") from None


def _walk(path: Path, stream: BinaryIO, size: int) -> int:
    head = stream.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    count_of, pointer, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    count_size, pointer_size = struct.calcsize(f"<{count_of}"), struct.calcsize(f"<{pointer}")
    (place,) = struct.unpack_from(order + pointer, head, 8 if big else 4)
    seen: set[int] = set()
    pages = 0
    first: dict[int, bytes] | None = None
    while place:
        page = len(seen)
        if place in seen:
            raise DataError(f"{path}: its chain of pages runs in a circle; save it again")
        if place >= size:
            raise DataError(
                f"{path}: is cut off after {page} whole pages (page {page} would start at byte "
                f"{place} of {size}); copy it again"
            )
        seen.add(place)
        stream.seek(place)
        (entries,) = struct.unpack(order + count_of, stream.read(count_size))
        if place + entries * entry + pointer_size > size:
            raise DataError(
                f"{path}: is cut off in the header of page {page}, at byte {size}; copy it again"
            )
        table = stream.read(entries * entry)
        (place,) = struct.unpack(order + pointer, stream.read(pointer_size))
        alike, stop = _tags(table, order, big=big)
        if stop > size:
            raise DataError(
                f"{path}: is cut off at byte {size}, before a value of page {page}; copy it again"
            )
        if _is_reduced(alike.get(_SUBFILE, b""), order):
            continue
        pages += 1
        if first is None:
            first = alike
        elif alike != first:
            raise DataError(
                f"{path}: page {page} differs from page 0 in size, type or coding (TIFF tags "
                f"{sorted(t for t in _ALIKE if alike.get(t) != first.get(t))}); save pages of one "
                "kind per file, without previews"
            )
    if not pages:
        raise DataError(f"{path}: has no pages; its writing was interrupted")
    return pages


def _is_reduced(tag: bytes, order: str) -> bool:
    """Whether the type of a page says that it is a smaller copy of another one."""
    return len(tag) >= 8 and bool(struct.unpack(order + "I", tag[-4:])[0] & 1)


def _tags(table: bytes, order: str, *, big: bool) -> tuple[dict[int, bytes], int]:
    """Return the tags pages must share, and where the last value outside the table ends.

    A tag is kept as its type, its count and, where it is stored in place, its value.
    """
    entry, head, pointer, inline = (20, "HHQ", "Q", 8) if big else (12, "HHI", "I", 4)
    found: dict[int, bytes] = {}
    last = 0
    for place in range(0, len(table), entry):
        tag, kind, count = struct.unpack_from(order + head, table, place)
        width = count * _WIDTH.get(kind, 1)
        if width > inline:
            (start,) = struct.unpack_from(order + pointer, table, place + entry - inline)
            last = max(last, start + width)
        if tag in _ALIKE:
            found[tag] = table[place + 2 : place + entry - inline * (width > inline)]
    return found, last
