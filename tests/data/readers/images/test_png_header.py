"""The walk over PNG chunks, on files put together by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from lamina.data.readers import open_volume
from lamina.data.readers.images.png_header import PngHeader, png_header
from lamina.errors import DataError


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(columns: int, rows: int, depth: int = 8, colour: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0))


def write(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


PIXELS = chunk(b"IDAT", zlib.compress(b"\0" * 20))
END = chunk(b"IEND")


def test_the_header_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", header(3, 4, 16, 2), PIXELS, chunk(b"eXIf", b"xy"), END)
    found = png_header(path)
    assert found == PngHeader(rows=4, columns=3, depth=16, colour=2, exif=b"xy")
    assert found.samples == 3


def test_what_stands_behind_the_end_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", header(3, 4), PIXELS, END, b"more")
    assert png_header(path).rows == 4


@pytest.mark.parametrize("lost", [1, 11, 12, 13, 30, 40])
def test_every_cut_is_found_without_decoding(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "a.png", header(3, 4), PIXELS, END)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"a.png: is cut off at byte"):
        png_header(path)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (header(0, 4), "header makes no sense"),
        (header(3, 4, 5), "header makes no sense"),
        (header(3, 4, 8, 5), "header makes no sense"),
        (header(3, 4, 16, 3), "header makes no sense"),
        (chunk(b"tEXt", b"a"), "has no PNG header"),
        (chunk(b"IHDR", b"short"), "has no PNG header"),
        (header(3, 4) + chunk(b"acTL", b"\0" * 8), "is an animation"),
    ],
)
def test_headers_without_sense_are_refused(tmp_path: Path, first: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        png_header(write(tmp_path / "a.png", first, PIXELS, END))


def test_fault_I06_a_header_bomb_takes_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.png", header(60_000, 60_000), PIXELS, END)
    with pytest.raises(DataError, match=r"claims 60000 x 60000 pixels, which its .* cannot hold"):
        open_volume(path)
    full = chunk(b"IDAT", b"\0" * 4_000_000)
    with pytest.raises(DataError, match="more than the limit of 1000000000"):
        open_volume(write(tmp_path / "bomb.png", header(60_000, 60_000), full, END))
