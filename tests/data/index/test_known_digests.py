"""Digests that a run found at its begin are those of reading, and are forgotten with a change."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from lamina.data.index.index import DataIndex
from lamina.data.index.known_digests import KnownDigests
from lamina.files import digest
from lamina.prediction.folder import digests as module
from lamina.prediction.folder.digests import source_digest


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    files = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for number, file in enumerate(files):
        file.write_bytes(bytes(range(number, 100)))
    return [str(file) for file in files]


def test_known_digests_are_those_of_reading_and_nothing_is_read(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = source_digest(names)
    first = DataIndex(tmp_path / "index.jsonl")
    first.digests(names)
    known = DataIndex(tmp_path / "index.jsonl").known_digests([*names, str(tmp_path / "none")])
    known = pickle.loads(pickle.dumps(known))  # as another process gets it
    assert [known.of(name) for name in names] == [digest(Path(name)) for name in names]

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(module, "digest", refuse)
    assert source_digest(names, known) == wanted


@pytest.mark.parametrize("change", ["time", "size"])
def test_a_changed_file_is_read_again(names: list[str], change: str) -> None:
    index = DataIndex()
    index.digests(names)
    known, file = index.known_digests(names), Path(names[1])
    stat, data = file.stat(), file.read_bytes()
    file.write_bytes(data[::-1] if change == "time" else data + b"\0")
    later = stat.st_mtime_ns + (change == "time")
    os.utime(file, ns=(stat.st_atime_ns, later))
    assert known.of(names[0]) == digest(Path(names[0]))
    assert known.of(names[1]) is None
    assert source_digest(names, known) == source_digest(names)


def test_a_file_that_is_gone_is_not_known(names: list[str]) -> None:
    index = DataIndex()
    index.digests(names)
    known = index.known_digests(names)
    Path(names[0]).unlink()
    assert known.of(names[0]) is None
    assert KnownDigests().of(names[1]) is None
