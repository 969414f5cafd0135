"""Files are known by their first bytes, and strangers are called by name."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamina.data.readers import has_suffix, images_below, is_image, look_below, sniff, stem_of
from lamina.data.readers.file_types import looking_once
from lamina.errors import DataError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"II*\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"\x93NUMPY\x01", "NPY"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\0" * 344 + b"n+1\0", "NIfTI"),
        (b"\x1c\x02\0\0n+2\0\r\n\x1a\n", "NIfTI"),
        (gzip.compress(b"\0" * 344 + b"n+1\0" + b"\0" * 10, mtime=0), "NIfTI"),
        (b"C" + b" " * 79 + b"C" + b" " * 79 + b"C" + b" " * 79 + b"C", "SEG-Y"),
        ((b"\xc3" + b"\x40" * 79) * 4, "SEG-Y"),
    ],
)
def test_the_content_says_the_type(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(head + b"\0" * 50)
    assert sniff(path).name == kind


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
    with pytest.raises(DataError, match=f"image.png: is not a DICOM, .* it looks like {words}"):
        sniff(path)


def test_a_few_first_bytes_are_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PN")
    with pytest.raises(DataError, match="is cut off after 3 bytes; copy it again"):
        sniff(path)


@pytest.mark.parametrize("name", ["zarr.json", ".zarray", ".zgroup"])
def test_a_folder_with_metadata_of_zarr_is_a_store(tmp_path: Path, name: str) -> None:
    assert not is_image(tmp_path)
    with pytest.raises(DataError, match="cannot be opened: it is a folder and no Zarr store"):
        sniff(tmp_path)
    (tmp_path / name).write_text("{}")
    assert is_image(tmp_path)
    assert is_image(tmp_path / name)
    assert sniff(tmp_path).name == "Zarr"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.png", "a"),
        ("a.b.tif", "a.b"),
        ("a.nii.gz", "a"),
        ("a.NII.GZ", "a"),
        ("a.ome.zarr", "a"),
        ("a.sgy", "a"),
        (".nii.gz", ".nii"),
    ],
)
def test_the_stem_is_the_name_without_the_type(name: str, stem: str) -> None:
    assert stem_of(Path("x") / name) == stem
    assert has_suffix(Path(name))


def test_other_suffixes_are_not_read() -> None:
    assert not any(has_suffix(Path(name)) for name in ("a.txt", "a.gz", "png", "a.zip"))


def test_a_page_named_like_seismic_data_is_called_a_page(tmp_path: Path) -> None:
    (tmp_path / "a.sgy").write_bytes(b"<!DOCTYPE html>" + b" " * 400)
    with pytest.raises(DataError, match="looks like an HTML or XML page"):
        sniff(tmp_path / "a.sgy")


def test_READ_1_what_is_not_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    """READ-1, I20: links that leave the folder are said, and not followed."""
    data = tmp_path / "data"
    for name in ("a.png", "deep/b.webp", "other/c.bmp", ".hidden.png", "notes.txt"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    (tmp_path / "away.png").touch()
    (data / "bad.png").mkdir()
    os.mkfifo(data / "pipe.png")
    for link, to in (
        ("inside", data / "other"),
        ("circle", data),
        ("away", tmp_path),
        ("away.png", tmp_path / "away.png"),
        ("gone.png", data / "gone"),
    ):
        (data / link).symlink_to(to)
    found = look_below(data)
    images = [path.relative_to(data).as_posix() for path in found.images]
    assert images == ["a.png", "deep/b.webp", "inside/c.bmp", "other/c.bmp"]
    reasons = {one.path.name: one.reason for one in found.passed}
    assert reasons.keys() == {
        "away", "away.png", "bad.png", "circle", "gone.png", "notes.txt", "pipe.png"
    }  # fmt: skip
    assert "link that leaves" in reasons["away"]
    assert "circle" in reasons["circle"]
    assert reasons["pipe.png"] == "is no regular file"
    assert reasons["bad.png"] == "is a folder without images"
    wider = [path.name for path in look_below(data, tmp_path).images]
    assert wider.count("away.png") >= 1


def test_READ_30_types_that_people_have_are_named_with_what_to_do(tmp_path: Path) -> None:
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "a.gif")
    np.savez(tmp_path / "b.npz", x=np.eye(3))
    array = tmp_path / "c.n5" / "volume"
    (array / "0" / "0").mkdir(parents=True)
    (array / "0" / "0" / "0").write_bytes(b"block")
    (array.parent / "attributes.json").write_text('{"n5": "2.5.0"}')
    (array / "attributes.json").write_text('{"dimensions": [4, 4], "blockSize": [2, 2]}')
    reasons = {one.path.name: one.reason for one in look_below(tmp_path).passed}
    assert reasons == {
        "a.gif": "is a GIF image; save each of its frames as PNG",
        "b.npz": "is an archive of NumPy arrays; save each array as .npy",
        "c.n5": "is an N5 store; copy its array into a Zarr store, or save it as .npy",
    }
    for path in (tmp_path / "a.gif", tmp_path / "b.npz", tmp_path / "c.n5", array):
        with pytest.raises(DataError, match=r"; save|; copy its array"):
            sniff(path)
    renamed = tmp_path / "d.png"  # by its content, where the suffix claims another type
    renamed.write_bytes((tmp_path / "a.gif").read_bytes())
    with pytest.raises(DataError, match="looks like a GIF image"):
        sniff(renamed)


def test_a_search_ends_after_the_number_of_files_that_was_asked_for(tmp_path: Path) -> None:
    """A folder that was named by mistake, such as the whole disk, costs no more than that."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(5):
            (tmp_path / folder / f"{number}.png").touch()
    assert len(list(images_below(tmp_path))) == 10
    assert len(list(images_below(tmp_path, most=12))) == 10  # ten files in two folders
    assert [path.name for path in images_below(tmp_path, most=4)] == ["0.png", "1.png", "2.png"]


def test_a_folder_is_looked_through_once_where_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("a.png", "deeper/b.png", "deeper/notes.doc"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    looked: list[str] = []
    scandir = os.scandir

    def noting(folder: Path) -> Any:
        looked.append(str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noting)
    wanted = look_below(tmp_path)
    with looking_once():
        assert look_below(tmp_path) == look_below(tmp_path) == wanted
        assert len(looked) == 4
        assert look_below(tmp_path / "deeper").images == [tmp_path / "deeper" / "b.png"]
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert tmp_path / "c.png" in look_below(tmp_path).images
