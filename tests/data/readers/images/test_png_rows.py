"""PNG row by row against the whole image, for every kind and filter."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lamina.data.readers import open_volume
from lamina.data.readers.images.png_rows import PngRows, in_rows
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import read_all


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, lines: NDArray[np.uint8], columns: int, depth: int, colour: int) -> Path:
    """Write bytes of rows with random filters, in several parts."""
    rng = np.random.default_rng(0)
    filters = rng.integers(0, 5, (len(lines), 1)).astype(np.uint8)
    data = zlib.compress(np.concatenate([filters, lines], axis=1).tobytes())
    head = struct.pack(">IIBBBBB", columns, len(lines), depth, colour, 0, 0, 0)
    parts = [chunk(b"IDAT", data[i : i + 97]) for i in range(0, len(data), 97)]
    palette = [chunk(b"PLTE", bytes(range(48)))] if colour == 3 else []
    body = [chunk(b"IHDR", head), *palette, *parts, chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    return path


@pytest.mark.parametrize(
    ("depth", "colour", "samples"),
    [(1, 0, 1), (2, 0, 1), (4, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (8, 4, 2),
     (8, 6, 4), (16, 2, 3)],
)  # fmt: skip
def test_bands_of_every_kind_are_the_rows_of_the_whole(
    tmp_path: Path, depth: int, colour: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.data.readers.images.png_rows._BLOCK", 200)
    rng = np.random.default_rng(depth + colour)
    width = -(-37 * depth * samples // 8)
    lines = rng.integers(0, 256, (29, width)).astype(np.uint8)
    path = png(tmp_path / "a.png", lines, 37, depth, colour)
    whole = open_volume(path)
    found = in_rows(whole)
    assert isinstance(found, PngRows)
    assert (found.shape, found.channels, found.dtype) == (whole.shape, whole.channels, whole.dtype)
    values = read_all(whole)
    again = pickle.loads(pickle.dumps(found))
    for one in (found, again):
        for a, b, c, d in ((0, 3, 0, 37), (3, 10, 5, 20), (25, 29, 36, 37), (7, 8, 0, 37)):
            part = one.read(Region((a, c), (b, d)))
            np.testing.assert_array_equal(part, values[:, a:b, c:d])
        np.testing.assert_array_equal(read_all(one), values)


def test_an_image_with_a_palette_stays_as_it_is(tmp_path: Path) -> None:
    lines = np.random.default_rng(0).integers(0, 256, (29, 19)).astype(np.uint8)
    whole = open_volume(png(tmp_path / "a.png", lines, 37, 4, 3))
    assert in_rows(whole) is whole


@pytest.mark.parametrize(
    "write", [cv2.imwrite, lambda path, mask: Image.fromarray(mask).save(path)]
)
def test_masks_of_other_writers(tmp_path: Path, write: Any) -> None:
    mask = np.zeros((200, 333), np.uint8)
    cv2.circle(mask, (150, 90), 70, 255, -1)
    write(str(tmp_path / "m.png"), mask)
    found = in_rows(open_volume(tmp_path / "m.png"))
    assert isinstance(found, PngRows)
    np.testing.assert_array_equal(read_all(found)[0], mask)


def test_what_cannot_be_read_forward_stays_as_it_is(tmp_path: Path) -> None:
    pixels = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    pixels.save(tmp_path / "a.jpg")
    stream = io.BytesIO()
    pixels.save(stream, "png")
    data = bytearray(stream.getvalue())
    data[28] = 1
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "b.png").write_bytes(data)
    for name in ("a.jpg", "b.png"):
        volume = open_volume(tmp_path / name)
        assert in_rows(volume) is volume


def test_damage_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = png(tmp_path / "a.png", rng.integers(0, 256, (50, 50)).astype(np.uint8), 50, 8, 0)
    data = path.read_bytes()
    for place in (300, 1500, 2500):
        damaged = bytearray(data)
        damaged[place] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_all(PngRows(path))
    short = bytearray(data)
    short[16:24] = struct.pack(">II", 50, 60)  # more rows than there are
    short[29:33] = struct.pack(">I", zlib.crc32(short[12:29]))
    path.write_bytes(short)
    with pytest.raises(DataError, match="end too early"):
        read_all(PngRows(path))
