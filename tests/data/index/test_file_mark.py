"""Changed files are told by sizes and times, gone ones by an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lamina.data.index.file_mark import Marked
from lamina.errors import DataError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A file, and a folder as of a store."""
    (tmp_path / "a.npy").write_bytes(b"12")
    (tmp_path / "b.zarr" / "c").mkdir(parents=True)
    (tmp_path / "b.zarr" / "c" / "0").write_bytes(b"34")
    return tmp_path / "a.npy", tmp_path / "b.zarr"


def test_files_that_stay_are_the_same(files: tuple[Path, Path]) -> None:
    then = Marked.now(files)
    files[0].read_bytes()
    then.check()
    assert Marked.now(files) == then


@pytest.mark.parametrize("name", ["a.npy", "b.zarr/c/0"])
@pytest.mark.parametrize("change", ["size", "time"])
def test_a_change_is_told(files: tuple[Path, Path], name: str, change: str) -> None:
    then, path = Marked.now(files), files[0].parent / name
    before = path.stat()
    path.write_bytes(b"567" if change == "size" else b"56")
    later = before.st_mtime_ns + (10**6 if change == "time" else 0)
    os.utime(path, ns=(later, later))
    with pytest.raises(DataError, match=r"a\.npy: changed while in use; run the same command"):
        then.check()


@pytest.mark.parametrize("change", ["new", "gone", "renamed"])
def test_files_of_a_store_that_come_or_go_are_told(files: tuple[Path, Path], change: str) -> None:
    then, chunk = Marked.now(files), files[1] / "c" / "0"
    if change == "new":
        (files[1] / "c" / "1").write_bytes(b"")
    elif change == "gone":
        chunk.unlink()
    else:
        chunk.rename(files[1] / "c" / "1")
    with pytest.raises(DataError, match="changed while in use"):
        then.check()


def test_a_file_that_is_gone_is_named(files: tuple[Path, Path]) -> None:
    then = Marked.now(files[:1])
    files[0].unlink()
    with pytest.raises(DataError, match=r"a\.npy"):
        then.check()
