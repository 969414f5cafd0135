"""Pairs of volumes in object storage: found as those of folders, by names and by patterns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

from lamina.data.catalogs import VolumePairs
from lamina.data.pair_files import required_pairs
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import read_all
from tests.factories.storage import Storage, s3_storage

pytest.importorskip("obstore")
ROOT = Path("s3://bucket/set")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with s3_storage(monkeypatch) as running:
        yield running


def stores(storage: Storage, folder: Path, *names: str) -> None:
    for value, name in enumerate(names, 1):
        path = folder / name
        array = zarr.create_array(path, shape=(4, 5, 6), dtype="u1", chunks=(2, 5, 6))
        array[...] = np.full((4, 5, 6), value, np.uint8)
        storage.upload(path, f"set/{name}")


def test_a_pair_in_the_folder_itself(storage: Storage, tmp_path: Path) -> None:
    stores(storage, tmp_path, "raw.zarr", "labels.zarr")
    catalog = VolumePairs(image="raw.zarr", target="labels.zarr", labels={2: 1, "others": 0})
    (case,) = catalog.open(ROOT, Task()).cases
    assert (case.id, case.image.name) == ("raw", "s3://bucket/set/raw.zarr")
    assert case.target is not None
    assert read_all(case.target).min() == 1


def test_a_pair_in_each_folder_and_by_patterns(storage: Storage, tmp_path: Path) -> None:
    names = [f"{folder}/{name}.zarr" for folder in "ab" for name in ("raw", "labels")]
    stores(storage, tmp_path, *names)
    apart = required_pairs(ROOT, "raw.zarr", "labels.zarr")
    assert [pair.id for pair in apart] == ["a", "b"]
    assert list(apart) == list(required_pairs(ROOT, "{id}/raw.zarr", "{id}/labels.zarr"))
    storage.delete("set/b/labels.zarr/zarr.json")
    with pytest.raises(DataError, match=r"s3://bucket/set.*have only one of image and target"):
        required_pairs(ROOT, "raw.zarr", "labels.zarr")


def test_what_is_not_there_is_said_by_its_address(storage: Storage, tmp_path: Path) -> None:
    stores(storage, tmp_path, "other.zarr")
    with pytest.raises(DataError, match=r"^s3://bucket/set: .*the folder holds other\.zarr"):
        required_pairs(ROOT, "raw.zarr", "labels.zarr")
