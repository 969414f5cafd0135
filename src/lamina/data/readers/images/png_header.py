"""The header of a PNG file, found by walking its chunks without reading pixels.

A walk sees what a decoder does not say: that the file ends early, that 16 bits are stored,
that an orientation stands behind the pixels, that there are more pictures than one.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import DataError

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # grey, colour, palette, grey + alpha, colour + alpha
_KEPT = (b"IHDR", b"eXIf", b"PLTE", b"tRNS")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True)
class PngHeader:
    """What the chunks say: sizes in pixels, bits per sample, samples per pixel, EXIF bytes, and
    the colours and alphas of a palette.
    """

    rows: int
    columns: int
    depth: int
    colour: int
    exif: bytes | None
    palette: bytes = b""
    transparency: bytes | None = None

    @property
    def indexed(self) -> bool:
        """Whether pixels are indices of a palette."""
        return self.colour == 3

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
    kept: dict[bytes, bytes] = {}
    packed = 0
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
            if kind in _KEPT and kind not in kept:
                kept[kind] = stream.read(length)
                check_chunk(path, kind, kept[kind], stream.read(4))
            elif kind == b"IDAT":
                packed += length
            elif kind == b"acTL":
                raise DataError(f"{path}: is an animation; save its pictures one by one")
            elif kind == b"IEND":
                break
    return _sound(path, kept, packed)


def check_chunk(path: Path, kind: bytes, content: bytes, stored: bytes) -> None:
    """Compare the content of a chunk with the checksum behind it.

    Raises:
        DataError: they differ.
    """
    if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(stored, "big"):
        raise DataError(
            f"{path}: its part {kind.decode('latin-1')} is damaged: the checksum differs; copy it "
            "again"
        )


def check_pixels(path: Path, data: bytes) -> None:
    """Compare all parts with pixels of a whole file with their checksums.

    Raises:
        DataError: one of them is damaged.
    """
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        stop = place + 8 + length
        if kind == b"IDAT":
            check_chunk(path, kind, data[place + 8 : stop], data[stop : stop + 4])
        place = stop + 4
        if kind == b"IEND":
            break


def _sound(path: Path, kept: dict[bytes, bytes], packed: int) -> PngHeader:
    first = kept.get(b"IHDR", b"")
    if len(first) != 13:
        raise DataError(f"{path}: has no PNG header; save it again")
    columns, rows, depth, colour = struct.unpack(">IIBB", first[:10])
    if depth not in _DEPTHS.get(colour, ()) or not rows or not columns:
        raise DataError(
            f"{path}: its PNG header makes no sense ({columns} x {rows} pixels, {depth} bits, "
            f"colour type {colour}); save it again"
        )
    header = PngHeader(
        rows,
        columns,
        depth,
        colour,
        kept.get(b"eXIf"),
        kept.get(b"PLTE", b""),
        kept.get(b"tRNS"),
    )
    # Deflate packs at most 1032 : 1, so that a huge picture in a tiny file is a lie.
    if rows * columns * depth * header.samples // 8 > 1040 * packed:
        raise DataError(
            f"{path}: claims {columns} x {rows} pixels, which its {packed} bytes cannot hold; "
            "copy it again"
        )
    return header
