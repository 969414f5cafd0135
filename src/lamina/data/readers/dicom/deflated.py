"""The deflated transfer syntax of DICOM, unpacked no further than its own header promises.

All behind the first header is one deflated stream, and a megabyte of it may unpack to a gigabyte.
So the header is unpacked first, within ``HEAD`` bytes, and the rest within what it says of the
pixels: what is longer is refused before memory is taken for it (I07).
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamina.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

SYNTAX = "1.2.840.10008.1.2.1.99"

HEAD = 4 << 20
"""Bytes that a header may take; most take a few thousand."""

WHOLE = 1 << 30
"""Bytes that the pixels of all frames may take."""

_TAIL = 1 << 20  # bytes that may follow the pixels
_PIXELS = b"\xe0\x7f\x10\x00"
_BEFORE = 132 + 12  # preamble, magic and the element that holds the length of the first header


def read_deflated(path: Path, first: Any, *, pixels: bool) -> Dataset:
    """Return what a deflated file holds, without its pixels unless they are wanted.

    Args:
        path: The file.
        first: Its first header, as pydicom reads it.
        pixels: Whether the pixels are wanted; else they stand empty.

    Raises:
        DataError: it is cut off, or longer than its header says.
        ValueError, zlib.error, ...: as pydicom and zlib say where it is damaged.
    """
    packed = path.read_bytes()[_BEFORE + int(first.FileMetaInformationGroupLength) :]
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    begun = engine.decompress(packed, HEAD)
    found, end = _head(begun)
    if begun[end : end + 4] != _PIXELS:
        if engine.eof:
            raise DataError(f"{path}: has no pixels and is not an image; leave it out")
        raise DataError(
            f"{path}: no pixels within the first {HEAD >> 20} MiB of what it unpacks to; it is cut "
            "off, or not to be trusted; copy it again or leave it out"
        )
    promised = _promised(found)
    if promised > WHOLE:
        raise DataError(
            f"{path}: says that its pixels unpack to {promised / 2**30:.1f} GiB, of at most "
            f"{WHOLE >> 30}; store it in another transfer syntax"
        )
    if pixels:
        whole = begun + _rest(engine, end + promised + _TAIL - len(begun), path, promised)
        found = _read(io.BytesIO(whole))
    else:
        found.PixelData = b""
    found.file_meta = first
    found.set_original_encoding(False, True)
    return found


def _read(stream: io.BytesIO, **options: Any) -> Dataset:
    from pydicom.filereader import read_dataset

    found: Dataset = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, **options)
    return found


def _head(begun: bytes) -> tuple[Dataset, int]:
    """Return the elements before the pixels, and where they end."""
    stream = io.BytesIO(begun)
    found = _read(stream, stop_when=lambda tag, vr, length: tag == 0x7FE00010)
    return found, stream.tell()


def _promised(head: Dataset) -> int:
    samples = int(head.Rows) * int(head.Columns) * int(head.get("SamplesPerPixel") or 1)
    return samples * int(head.get("NumberOfFrames") or 1) * -(-int(head.BitsAllocated) // 8)


def _rest(engine: Any, most: int, path: Path, promised: int) -> bytes:
    """Unpack what is left, at most ``most`` bytes."""
    rest: bytes = b"" if engine.eof else engine.decompress(engine.unconsumed_tail, max(most, 1))
    if engine.eof:
        return rest
    if engine.decompress(engine.unconsumed_tail, 1):
        raise DataError(
            f"{path}: unpacks to far more than the {promised} bytes of pixels that its header "
            "promises; do not trust it, and leave it out"
        )
    raise DataError(f"{path}: is cut off; copy it again")
