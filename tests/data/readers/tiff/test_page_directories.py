"""The walk over TIFF directories, on chains put together by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lamina.data.readers.tiff.page_directories import count_pages
from lamina.errors import DataError


def chain(*pages: dict[int, int], order: str = "<", big: bool = False, last: int = 0) -> bytes:
    """Pages of LONG tags, one directory behind the other; ``last`` is the final pointer."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        data = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    else:
        data = mark + struct.pack(order + "HI", 42, 8)
    for number, tags in enumerate(pages):
        size = (8 + 20 * len(tags) + 8) if big else (2 + 12 * len(tags) + 4)
        following = last if number == len(pages) - 1 else len(data) + size
        table = b"".join(
            struct.pack(order + ("HHQQ" if big else "HHII"), tag, 4, 1, value)
            for tag, value in tags.items()
        )
        data += struct.pack(order + ("Q" if big else "H"), len(tags)) + table
        data += struct.pack(order + ("Q" if big else "I"), following)
    return data


PAGE = {256: 5, 257: 6, 273: 1}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted(tmp_path: Path, order: str, big: bool) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(chain(PAGE, {**PAGE, 273: 99}, PAGE, order=order, big=big))
    assert count_pages(path) == 3


@pytest.mark.parametrize("big", [False, True])
def test_fault_I04_every_cut_is_found(tmp_path: Path, big: bool) -> None:
    path, data = tmp_path / "a.tif", chain(PAGE, PAGE, PAGE, big=big)
    for left in range(4, len(data)):
        path.write_bytes(data[:left])
        with pytest.raises(DataError, match=r"a.tif: is cut off"):
            count_pages(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (chain(PAGE, PAGE, last=8), "runs in a circle"),
        (chain(PAGE, PAGE, last=5000), "cut off after 2 whole pages .* at byte 5000"),
        (chain(PAGE, {**PAGE, 257: 7}), r"page 1 differs from page 0 .*\[257\]"),
        (chain(PAGE, {**PAGE, 254: 4}), r"page 1 differs from page 0 .*\[254\]"),
        (b"II*\0" + b"\0" * 12, "has no pages"),
    ],
)
def test_broken_chains_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words):
        count_pages(path)


def test_a_value_beyond_the_end_is_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(
        b"II*\0" + struct.pack("<IHHHIII", 8, 1, 270, 2, 100, 5000, 0)  # text of 100 at 5000
    )
    with pytest.raises(DataError, match=r"cut off .* before a value of page 0"):
        count_pages(path)
