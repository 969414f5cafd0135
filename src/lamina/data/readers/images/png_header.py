"""The header of a PNG file, found by walking its chunks without reading pixels.

A walk sees what a decoder does not say: that the file ends early, that 16 bits are stored,
that an orientation stands behind the pixels, that there are more pictures than one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import DataError

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # grey, colour, palette, grey + alpha, colour + alpha
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True)
class PngHeader:
    """What the chunks say: sizes in pixels, bits per sample, samples per pixel, EXIF bytes."""

    rows: int
    columns: int
    depth: int
    colour: int
    exif: bytes | None

    @property
    def samples(self) -> int:
        """Samples per pixel; a palette index is one sample."""
        return _SAMPLES[self.colour]


def png_header(path: Path) -> PngHeader:
    """Walk the chunks of a PNG file.

    Raises:
        DataError: the file is cut off, its header makes no sense, its pixels cannot fit into its
            bytes, or it is animated.
    """
    size = path.stat().st_size
    first, exif, packed = b"", None, 0
    with path.open("rb") as stream:
        place = 8
        while True:
            stream.seek(place)
            head = stream.read(8)
            if len(head) < 8:
                raise DataError(f"{path}: is cut off at byte {size}; copy it again")
            length, kind = struct.unpack(">I4s", head)
            place += 12 + length
            if place > size:
                raise DataError(
                    f"{path}: is cut off at byte {size}, in a part that goes to {place}; "
                    "copy it again"
                )
            if kind == b"IHDR":
                first = stream.read(length)
            elif kind == b"eXIf":
                exif = stream.read(length)
            elif kind == b"IDAT":
                packed += length
            elif kind == b"acTL":
                raise DataError(f"{path}: is an animation; save its pictures one by one")
            elif kind == b"IEND":
                break
    return _sound(path, first, exif, packed)


def _sound(path: Path, first: bytes, exif: bytes | None, packed: int) -> PngHeader:
    if len(first) != 13:
        raise DataError(f"{path}: has no PNG header; save it again")
    columns, rows, depth, colour = struct.unpack(">IIBB", first[:10])
    if depth not in _DEPTHS.get(colour, ()) or not rows or not columns:
        raise DataError(
            f"{path}: its PNG header makes no sense ({columns} x {rows} pixels, {depth} bits, "
            f"colour type {colour}); save it again"
        )
    header = PngHeader(rows, columns, depth, colour, exif)
    # Deflate packs at most 1032 : 1, so that a huge picture in a tiny file is a lie.
    if rows * columns * depth * header.samples // 8 > 1040 * packed:
        raise DataError(
            f"{path}: claims {columns} x {rows} pixels, which its {packed} bytes cannot hold; "
            "copy it again"
        )
    return header
