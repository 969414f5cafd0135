"""Copies of volumes in object storage: whole or not at all, and resumed where they stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

from lamina.data.case import Case
from lamina.data.prepare import remote_copy
from lamina.data.prepare.unpack import UnpackedVolume, unpacked
from lamina.data.readers import open_volume
from lamina.data.views import chunks
from lamina.errors import DataError
from lamina.volume import Volume, read_all
from tests.factories.storage import Storage, s3_storage

pytest.importorskip("obstore")
CUBE = np.random.default_rng(0).integers(1, 2000, (12, 6, 7), np.uint16)
SLABS = 4


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(chunks, "PIECE", 3 * 6 * 7)  # a piece is one slab of chunks
    with s3_storage(monkeypatch) as running:
        yield running


@pytest.fixture
def url(storage: Storage, tmp_path: Path) -> str:
    path = tmp_path / "local" / "cube.zarr"
    zarr.create_array(path, shape=CUBE.shape, dtype=CUBE.dtype, chunks=(3, 6, 7))[...] = CUBE
    return storage.upload(path, "cube.zarr")


def copied(url: str, folder: Path) -> Volume:
    (case,) = unpacked([Case("a", "a", open_volume(Path(url)))], folder)
    return case.image


def fetched(storage: Storage) -> list[str]:
    """Return the chunks that were fetched, in order."""
    each = [one.split()[1].rstrip("?") for one in storage.requests if one.startswith("GET")]
    return [one.partition("cube.zarr/")[2] for one in each if "cube.zarr/c/" in one]


def test_a_remote_volume_is_read_from_one_copy(storage: Storage, url: str, tmp_path: Path) -> None:
    copy = copied(url, tmp_path / "run")
    assert isinstance(copy, UnpackedVolume)
    assert copy.name == url
    np.testing.assert_array_equal(read_all(copy)[0], CUBE)
    assert len(fetched(storage)) == SLABS
    (file,) = (tmp_path / "run").iterdir()
    np.testing.assert_array_equal(np.load(file), CUBE)
    copied(url, tmp_path / "run")
    assert len(fetched(storage)) == SLABS  # nothing more


KILLED = """
import sys
from pathlib import Path
from lamina.data.views import chunks
chunks.PIECE = 3 * 6 * 7
from lamina.data.case import Case
from lamina.data.prepare.unpack import unpacked
from lamina.data.readers import open_volume
unpacked([Case("a", "a", open_volume(Path(sys.argv[1])))], Path(sys.argv[2]))
"""


def test_a_copy_that_was_killed_goes_on_and_nothing_is_fetched_twice(
    storage: Storage, url: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, url, str(tmp_path / "run")]
    environment = {**os.environ, "LAMINA_FAULT": "remote_copy.after_piece:2"}
    assert subprocess.run(words, env=environment).returncode == -9
    assert not list((tmp_path / "run").glob("*.npy"))
    storage.fail("cube.zarr/c/2/0/0", 2)  # 503
    np.testing.assert_array_equal(read_all(copied(url, tmp_path / "run"))[0], CUBE)
    whole = list(dict.fromkeys(fetched(storage)))
    assert whole == [f"c/{slab}/0/0" for slab in range(SLABS)]
    assert [fetched(storage).count(name) for name in whole] == [1, 1, 3, 1]
    assert [path.suffix for path in (tmp_path / "run").iterdir()] == [".npy"]


def test_a_piece_that_was_damaged_since_is_fetched_again(
    storage: Storage, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, path = open_volume(Path(url)), tmp_path / "copy.npy"
    begun = []

    def stop(point: str) -> None:
        begun.append(point)
        if len(begun) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(remote_copy, "fault", stop)
    with pytest.raises(KeyboardInterrupt):
        remote_copy.copy_in_pieces(volume, path)
    array = np.load(tmp_path / "copy.npy.begun/array.npy", mmap_mode="r+")
    array[4, 2, 2] += 1
    array.flush()
    remote_copy.copy_in_pieces(volume, path)
    np.testing.assert_array_equal(np.load(path), CUBE)
    assert [fetched(storage).count(f"c/{slab}/0/0") for slab in range(SLABS)] == [1, 2, 1, 1]


def test_a_missing_chunk_leaves_no_copy(storage: Storage, url: str, tmp_path: Path) -> None:
    storage.delete("cube.zarr/c/1/0/0")
    with pytest.raises(DataError, match=r"chunk \(1, 0, 0\) is not stored"):
        copied(url, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.npy"))


def test_a_volume_that_changes_meanwhile_leaves_no_copy(
    storage: Storage, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (tmp_path / "local/cube.zarr/c/3/0/0").read_bytes()
    monkeypatch.setattr(remote_copy, "fault", lambda point: storage.put("cube.zarr/c/0/0/0", other))
    with pytest.raises(DataError, match="changed while"):
        copied(url, tmp_path / "run")
    assert not [one for one in (tmp_path / "run").rglob("*") if one.is_file()]
