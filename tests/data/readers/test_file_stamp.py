"""Digests that change with a file, without reading it."""

from __future__ import annotations

import os
from pathlib import Path

from lamina.data.readers.file_stamp import stamp_of


def test_size_time_name_and_options_each_make_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"123")
    os.utime(path, ns=(5, 5))
    seen = {stamp_of(path, [path]), stamp_of(path, [path])}
    assert len(seen) == 1
    seen.add(stamp_of(path, [path], "raw"))
    os.utime(path, ns=(6, 6))
    seen.add(stamp_of(path, [path]))
    path.write_bytes(b"1234")
    os.utime(path, ns=(6, 6))
    seen.add(stamp_of(path, [path]))
    path.rename(tmp_path / "b.h5")
    seen.add(stamp_of(tmp_path / "b.h5", [tmp_path / "b.h5"]))
    assert len(seen) == 5


def test_every_file_of_a_folder_counts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, ns=(5, 5))
    files = [tmp_path / "a", tmp_path / "b"]
    before = stamp_of(tmp_path, files)
    os.utime(files[1], ns=(7, 7))
    assert stamp_of(tmp_path, files) != before
