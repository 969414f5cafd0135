"""Files are known by their first bytes, and strangers are called by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.data.readers.sniff import sniff
from lamina.errors import DataError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"II*\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"\x93NUMPY\x01", "npy"),
    ],
)
def test_the_content_says_the_type(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(head + b"\0" * 50)
    assert sniff(path) == kind


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"<!DOCTYPE html>", "an HTML or XML page, perhaps an error page"),
        (b"<html>", "an HTML page"),
        (b"<?xml version", "an XML file"),
        (b"GIF89a", "a GIF image"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09", r"an unknown type \(first bytes 01 02 03"),
    ],
)
def test_fault_I03_strangers_are_named(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(head)
    with pytest.raises(DataError, match=f"image.png: is not a PNG, .* it looks like {words}"):
        sniff(path)


def test_a_few_first_bytes_are_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PN")
    with pytest.raises(DataError, match="is cut off after 3 bytes; copy it again"):
        sniff(path)
