"""Lines of an index: read as they were written, and damage is seen."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from lamina.data.index import row as module
from lamina.data.index.index import absolute
from lamina.data.index.row import Row, row_of
from lamina.data.readers.images.header import ImageHeader, KnownImage, Moments

GREY = ImageHeader(20, 30, 1, 8, 1, PngImageFile)
TURNED = ImageHeader(20, 30, 3, 8, 6, JpegImageFile)
INDEXED = ImageHeader(4, 5, 3, 8, 1, PngImageFile, np.arange(768, dtype=np.uint8).reshape(256, 3))
KNOWN = [
    None,
    KnownImage(1, 2, GREY),
    KnownImage(1, 2, TURNED, moments=Moments(600, (0.1, 1 / 3, 255.0), (0.0, 1e-9, 1e300))),
    KnownImage(1, 2, GREY, values={0: 500, 255: 100, 7: 0}),
    KnownImage(1, 2, GREY, values={}),
]


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize(
    "name", ["/data/a.png", "/data/a b.png", '/data/"quoted".png', "/data/é\\n.png", "/d/\t.png"]
)
def test_a_line_is_read_as_it_was_written(name: str, known: KnownImage | None) -> None:
    row = Row(name, "target", 1, 2, "3" * 64, known)
    line = row.line()
    assert row_of(line) == module._parsed(line) == row
    assert (json.loads(line)["file"], json.loads(line)["role"]) == (name, "target")


def test_a_palette_is_read_as_it_was_written() -> None:
    line = Row("/a.png", "image", 1, 2, "3" * 64, KnownImage(1, 2, INDEXED)).line()
    for found in (row_of(line), module._parsed(line)):
        assert found is not None
        assert found.known is not None
        np.testing.assert_array_equal(found.known.header.table, INDEXED.table)


def test_a_damaged_line_has_no_row() -> None:
    row = Row("/data/a.png", "image", 1, 2, "3" * 64, KNOWN[3])
    line = row.line()
    for place in range(len(line)):
        assert row_of(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]) is None
        assert row_of(line[:place]) is None


@pytest.mark.parametrize(
    "name",
    [
        "/a/b.png",
        "/a/.b",
        "/a/../b",
        "/a/./b",
        "/a//b",
        "/a/",
        "//a",
        "a/b",
        "../a",
        ".",
        "/a/b..c",
    ],
)
def test_a_name_is_absolute_as_the_system_says(name: str) -> None:
    assert absolute(name) == os.path.abspath(name)  # noqa: PTH100 - the reference
