"""Zarr in object storage: the same values as from files, and no missing chunk unsaid."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from lamina.data.index.volume_identity import volume_identity
from lamina.data.readers import ZarrVolume, open_volume
from lamina.data.readers.zarr import remote
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import placement_of, read_all
from tests.factories.storage import SECRET, Storage, s3_storage

pytest.importorskip("obstore")
CUBE = np.random.default_rng(0).integers(1, 200, (10, 12, 14), np.uint8)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with s3_storage(monkeypatch) as running:
        yield running


def local(path: Path, **options: Any) -> Path:
    about = {"chunks": (4, 5, 6), **options}
    zarr.create_array(path, shape=CUBE.shape, dtype="u1", **about)[...] = CUBE
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"zarr_format": 2},
        {"shards": (8, 10, 12)},
        {"compressors": None},
        {"filters": None, "zarr_format": 2, "compressors": None},
    ],
    ids=["v3", "v2", "shards", "plain", "v2 plain"],
)
def test_values_are_those_of_the_files(
    storage: Storage, tmp_path: Path, options: dict[str, Any]
) -> None:
    path = local(tmp_path / "cube.zarr", **options)
    url = storage.upload(path, "some/cube.zarr")
    volume = open_volume(Path(url))
    assert volume.name == url
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", CUBE.shape, np.uint8)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    part = Region((3, 2, 5), (9, 3, 14))
    np.testing.assert_array_equal(volume.read(part)[0], CUBE[3:9, 2:3, 5:14])
    again = pickle.loads(pickle.dumps(volume))
    np.testing.assert_array_equal(again.read(part), volume.read(part))
    assert SECRET.encode() not in pickle.dumps(volume)


def test_an_ome_image_says_its_axes_and_spacing(storage: Storage, tmp_path: Path) -> None:
    root = tmp_path / "image.zarr"
    group = zarr.create_group(root)
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [{"type": "scale", "scale": [4, 2, 2]}],
                    }
                ],
            }
        ],
    }
    local(root / "0")
    volume = open_volume(Path(storage.upload(root, "image.zarr")))
    assert isinstance(volume, ZarrVolume)
    assert placement_of(volume).spacing == placement_of(open_volume(root)).spacing == (4, 2, 2)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_a_missing_chunk_is_refused_unless_the_recipe_allows_it(
    storage: Storage, tmp_path: Path
) -> None:
    url = storage.upload(local(tmp_path / "cube.zarr"), "cube.zarr")
    storage.delete("cube.zarr/c/1/0/2")
    with pytest.raises(DataError, match=rf"{url}: chunk \(1, 0, 2\) is not stored \(c/1/0/2\)"):
        read_all(open_volume(Path(url)))
    kept = open_volume(Path(url)).read(Region((0, 0, 0), (4, 12, 14)))
    np.testing.assert_array_equal(kept[0], CUBE[:4])
    filled = read_all(open_volume(Path(url), fill="allow"))[0]
    wanted = CUBE.copy()
    wanted[4:8, 0:5, 12:14] = 0
    np.testing.assert_array_equal(filled, wanted)


def test_missing_chunks_are_asked_for_by_one_listing_for_each_slab(
    storage: Storage, tmp_path: Path
) -> None:
    volume = open_volume(Path(storage.upload(local(tmp_path / "cube.zarr"), "cube.zarr")))
    storage.requests.clear()
    for row in range(12):
        volume.read(Region((0, row, 0), (4, row + 1, 14)))
    lists = [one for one in storage.requests if "list-type" in one]
    assert len(lists) == 1
    assert not [one for one in storage.requests if one.startswith("HEAD")]


@pytest.mark.parametrize("options", [{}, {"shards": (8, 10, 12)}], ids=["chunks", "shards"])
def test_a_chunk_that_changes_while_in_use_is_told(
    storage: Storage, tmp_path: Path, options: dict[str, Any]
) -> None:
    path = local(tmp_path / "cube.zarr", **options)
    volume = open_volume(Path(storage.upload(path, "cube.zarr")))
    before = volume.read(Region((0, 0, 0), (1, 1, 1)))
    key = "c/0/0/0"
    zarr.open_array(path)[0, 0, 0] = 255 - int(before[0, 0, 0, 0])
    storage.put(f"cube.zarr/{key}", (path / key).read_bytes())
    with pytest.raises(DataError, match="changed while in use"):
        volume.read(Region((0, 0, 0), (1, 1, 1)))


def test_a_busy_storage_is_asked_again(storage: Storage, tmp_path: Path) -> None:
    url = storage.upload(local(tmp_path / "cube.zarr"), "cube.zarr")
    storage.fail("cube.zarr/c/0/0/0", 2)
    storage.fail("list-type", 1)
    storage.fail("cube.zarr/zarr.json", 1)
    np.testing.assert_array_equal(read_all(open_volume(Path(url)))[0], CUBE)


def test_a_storage_that_fails_zarrs_own_reader_is_explained(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_RETRIES", 0)
    url = storage.upload(local(tmp_path / "cube.zarr", shards=(8, 10, 12)), "cube.zarr")
    volume = open_volume(Path(url))
    storage.fail("cube.zarr/c/0/0/0", 1)
    with pytest.raises(DataError, match=r"s3://bucket/cube\.zarr: cannot be read .* try again"):
        read_all(volume)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_what_is_not_there_or_not_allowed_is_said_without_the_secret(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no Zarr array or group there") as nothing:
        open_volume(Path("s3://bucket/nothing.zarr"))
    with pytest.raises(DataError, match=r"s3://nobody/cube\.zarr") as nobody:
        open_volume(Path("s3://nobody/cube.zarr"))
    assert SECRET not in f"{nothing.value} {nobody.value}"


def test_the_identity_survives_copying_and_tells_changes(storage: Storage, tmp_path: Path) -> None:
    path = local(tmp_path / "cube.zarr")
    found = volume_identity(path)
    shutil.copytree(path, tmp_path / "copy.zarr")
    url = storage.upload(path, "cube.zarr")
    assert volume_identity(tmp_path / "copy.zarr") == volume_identity(Path(url)) == found
    zarr.open_array(tmp_path / "copy.zarr")[5, 5, 5] = 0
    assert volume_identity(tmp_path / "copy.zarr") != found
    storage.delete("cube.zarr/c/0/0/0")
    assert volume_identity(Path(url)) != found
