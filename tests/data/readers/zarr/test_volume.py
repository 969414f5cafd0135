"""Zarr and OME-Zarr as other programs write them; stores that are damaged, odd or hostile."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.data.readers import ZarrVolume, open_volume
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Chunked, Plane, read_all

CUBE = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)


def put(path: Path, array: NDArray[Any] = CUBE, **options: Any) -> Path:
    options = {"chunks": (2,) * array.ndim} | options
    zarr.create_array(path, shape=array.shape, dtype=array.dtype, **options)[...] = array
    return path


def axes_of(letters: str) -> list[dict[str, str]]:
    kinds = {"c": "channel", "t": "time"}
    return [{"name": letter, "type": kinds.get(letter, "space")} for letter in letters]


def image(path: Path, letters: str, arrays: list[NDArray[Any]], version: str = "0.5") -> Path:
    """Write an OME-Zarr image with its metadata as the two versions of NGFF place them."""
    second = version == "0.4"
    multiscales: dict[str, Any] = {
        "axes": axes_of(letters),
        "datasets": [{"path": str(n)} for n in range(len(arrays))],
    }
    if second:
        attributes: dict[str, Any] = {"multiscales": [multiscales | {"version": version}]}
    else:
        attributes = {"ome": {"version": version, "multiscales": [multiscales]}}
    zarr.open_group(path, mode="w", zarr_format=2 if second else 3, attributes=attributes)
    for n, array in enumerate(arrays):
        put(path / str(n), array, zarr_format=2 if second else 3)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_image_is_its_full_resolution_with_its_own_axes(
    tmp_path: Path, version: str
) -> None:
    path = image(tmp_path / "a.ome.zarr", "zyx", [CUBE, CUBE[:, ::2, ::2]], version)
    volume = open_volume(path)
    assert (volume.axes, volume.shape, volume.channels) == ("zyx", CUBE.shape, 1)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    small = open_volume(path, dataset="1")
    assert small.axes == "zyx"
    np.testing.assert_array_equal(read_all(small)[0], CUBE[:, ::2, ::2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_channels_are_channels_and_one_point_in_time_is_dropped(
    tmp_path: Path, version: str
) -> None:
    stored = np.stack([CUBE, CUBE + 1000])[None]
    volume = open_volume(image(tmp_path / "a.zarr", "tczyx", [stored], version))
    assert (volume.axes, volume.shape, volume.channels) == ("zyx", CUBE.shape, 2)
    region = Region((1, 2, 0), (4, 5, 7))
    np.testing.assert_array_equal(volume.read(region), stored[0][(slice(None), *region.slices)])
    last = open_volume(image(tmp_path / "b.zarr", "xyzc", [np.moveaxis(stored[0], 0, -1)], version))
    assert (last.axes, last.channels) == ("xyz", 2)
    np.testing.assert_array_equal(read_all(last), stored[0])
    renamed = open_volume(tmp_path / "a.zarr", "yxz", as_stored=True)
    assert (renamed.axes, renamed.channels) == ("yxz", 2)


def test_several_points_in_time_are_refused(tmp_path: Path) -> None:
    path = image(tmp_path / "a.zarr", "tzyx", [np.stack([CUBE] * 3)])
    with pytest.raises(DataError, match=r"a.zarr: holds 3 points in time .* save each on its own"):
        open_volume(path)


def test_names_of_dimensions_are_names_of_axes(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zarr", dimension_names=["x", "y", "z"])
    assert open_volume(path).axes == "xyz"
    assert open_volume(path, "zyx", as_stored=True).axes == "zyx"
    xarray = put(tmp_path / "c.zarr", zarr_format=2)
    (xarray / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": ["x", "y", "z"]}))
    assert open_volume(xarray).axes == "xyz"
    odd = put(tmp_path / "b.zarr", dimension_names=["depth", None, "width"])
    assert open_volume(odd).axes == "zyx"


@pytest.mark.parametrize("version", ["0.3", "0.6", "1"])
def test_other_versions_of_ome_are_named(tmp_path: Path, version: str) -> None:
    path = image(tmp_path / "a.zarr", "zyx", [CUBE], version)
    with pytest.raises(DataError, match=rf"is OME-Zarr {version}; read are 0\.4 and 0\.5"):
        open_volume(path)


def test_a_group_of_one_array_is_that_array_and_of_several_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.open_group(path, mode="w")
    with pytest.raises(DataError, match="a Zarr group without an array"):
        open_volume(path)
    zarr.open_group(path, mode="a").create_group("inner")
    put(path / "inner" / "raw")
    assert open_volume(path).shape == CUBE.shape
    put(path / "labels", CUBE % 2)
    with pytest.raises(DataError, match=r"holds 2 arrays; .* data\.dataset: inner/raw, labels"):
        open_volume(path)
    np.testing.assert_array_equal(read_all(open_volume(path, dataset="labels"))[0], CUBE % 2)
    with pytest.raises(DataError, match=r"has no 'mask'; it holds inner/raw, labels"):
        open_volume(path, dataset="mask")


def test_a_name_does_not_leave_the_store(tmp_path: Path) -> None:
    put(tmp_path / "secret.zarr")
    path = tmp_path / "a.zarr"
    zarr.open_group(path, mode="w")
    for name in ("../secret.zarr", "x/../../secret.zarr"):
        with pytest.raises(DataError):
            open_volume(path, dataset=name)
    image(tmp_path / "b.zarr", "zyx", [CUBE])
    meta = json.loads((tmp_path / "b.zarr/zarr.json").read_text())
    meta["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = "../secret.zarr"
    (tmp_path / "b.zarr/zarr.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="leaves the folder"):
        open_volume(tmp_path / "b.zarr")


@pytest.mark.parametrize("second", [False, True])
def test_fault_I05_a_missing_chunk_is_refused_with_its_index(tmp_path: Path, second: bool) -> None:
    path = put(tmp_path / "a.zarr", CUBE + 1, zarr_format=2 if second else 3)
    gone = path / ("1.0.2" if second else "c/1/0/2")
    gone.unlink()
    volume = open_volume(path)
    with pytest.raises(
        DataError, match=r"chunk \(1, 0, 2\) is not stored .*set data\.fill to allow"
    ):
        read_all(volume)
    other = volume.read(Region((0, 0, 0), (2, 6, 7)))  # whose chunks are all there
    np.testing.assert_array_equal(other[0], CUBE[:2] + 1)
    filled = read_all(open_volume(path, fill="allow"))[0]
    expected = CUBE + 1
    expected[2:4, 0:2, 4:6] = 0
    np.testing.assert_array_equal(filled, expected)


def test_a_missing_shard_is_refused_and_an_empty_chunk_in_one_is_not(tmp_path: Path) -> None:
    sparse = CUBE * 0
    sparse[:2] = CUBE[:2] + 1
    path = put(tmp_path / "a.zarr", sparse, chunks=(1, 3, 7), shards=(5, 3, 7))
    np.testing.assert_array_equal(read_all(open_volume(path))[0], sparse)
    (path / "c/0/1/0").unlink()
    with pytest.raises(DataError, match=r"chunk \(0, 1, 0\) is not stored"):
        read_all(open_volume(path))


def test_fault_I06_a_header_that_claims_too_much_costs_nothing(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zarr")
    meta = json.loads((path / "zarr.json").read_text())
    meta["shape"] = [400_000] * 3
    (path / "zarr.json").write_text(json.dumps(meta))
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.read(Region((0, 0, 0), (2, 2, 2)))[0], CUBE[:2, :2, :2])
    with pytest.raises(DataError, match="is not stored"):
        volume.read(Region((9, 0, 0), (400_000, 8, 8)))
    meta["chunk_grid"]["configuration"]["chunk_shape"] = [4000] * 3
    (path / "zarr.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match=r"chunks of \(4000, 4000, 4000\), 119.2 GiB each"):
        open_volume(path)


def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.zarr", CUBE.astype(np.complex64))
    with pytest.raises(DataError, match="holds complex64, not numbers"):
        open_volume(tmp_path / "a.zarr")
    put(tmp_path / "b.zarr", CUBE.reshape(5, 6, 7, 1, 1))
    with pytest.raises(DataError, match=r"has 5 axes .* set data\.axes to match"):
        open_volume(tmp_path / "b.zarr")
    zarr.create_array(tmp_path / "c.zarr", shape=(0, 4, 4), chunks=(1, 1, 1), dtype="u1")
    with pytest.raises(DataError, match="holds no pixels"):
        open_volume(tmp_path / "c.zarr")


def test_codecs_that_are_not_known_to_be_harmless_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zarr", zarr_format=2, compressors=None)
    meta = json.loads((path / ".zarray").read_text())
    for codec, words in (
        ({"id": "pickle", "protocol": 5}, "'pickle'"),
        ({"id": "base64"}, "is packed with base64, which is not read; write it again"),
    ):
        (path / ".zarray").write_text(json.dumps({**meta, "compressor": codec}))
        with pytest.raises(DataError, match=words):
            open_volume(path)


@pytest.mark.parametrize("text", ["", "{", '{"node_type": "cat"}', '{"node_type": "array"}', "[]"])
def test_damaged_metadata_are_refused(tmp_path: Path, text: str) -> None:
    path = put(tmp_path / "a.zarr")
    (path / "zarr.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.zarr"):
        open_volume(path)


@pytest.mark.parametrize("side", [0, -2])
def test_trust_4_chunks_without_a_side_are_refused(tmp_path: Path, side: int) -> None:
    """TRUST-4: one message in place of a division by zero."""
    path = put(tmp_path / "a.zarr", zarr_format=2)
    meta = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps({**meta, "chunks": [2, side, 2]}))
    with pytest.raises(DataError, match=r"a\.zarr"):
        open_volume(path)


def test_a_store_that_changes_or_goes_is_noticed(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zarr")
    volume = open_volume(path)
    assert isinstance(volume, Chunked)
    stamp = volume.stamp()
    assert volume.stamp() == stamp
    later = pickle.loads(pickle.dumps(volume))
    (path / "c/0/0/0").write_bytes(b"12345")
    assert volume.stamp() != stamp
    (path / "zarr.json").write_text((path / "zarr.json").read_text() + " ")
    with pytest.raises(DataError, match="is gone or changed while in use"):
        read_all(later)


def test_the_grain_is_that_of_the_chunks_along_spatial_axes(tmp_path: Path) -> None:
    path = put(tmp_path / "a.zarr", CUBE[None], chunks=(1, 2, 3, 4), dimension_names=[*"czyx"])
    volume = open_volume(path)
    assert isinstance(volume, Chunked)
    assert volume.chunk_shape == (2, 3, 4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_slices_equal_those_of_the_array(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.zarr"
    if not path.exists():
        put(path)
    axis = data.draw(st.integers(0, 2))
    index = data.draw(st.integers(0, CUBE.shape[axis] - 1))
    plane = Plane(ZarrVolume(path), "zyx"[axis], index)
    np.testing.assert_array_equal(read_all(plane)[0], CUBE.take(index, axis))


def test_READ_16_the_remedy_for_an_unknown_version_works(tmp_path: Path) -> None:
    path = image(tmp_path / "a.zarr", "zyx", [CUBE], version="0.6")
    with pytest.raises(DataError, match=r"is OME-Zarr 0\.6; .* data\.dataset \(0\) and .*axes"):
        open_volume(path)
    named = open_volume(path, "zyx", dataset="0")
    np.testing.assert_array_equal(read_all(named)[0], CUBE)


def test_READ_19_chunks_that_zarr_leaves_out_have_one_remedy(tmp_path: Path) -> None:
    labels = np.zeros_like(CUBE)
    labels[0, :4, :4] = 1
    path = put(tmp_path / "a.zarr", labels, chunks=(1, 4, 4), fill_value=0)
    with pytest.raises(DataError, match=r"is not stored .*; set data\.fill to allow, since Zarr"):
        read_all(open_volume(path))
    np.testing.assert_array_equal(read_all(open_volume(path, fill="allow"))[0], labels)
