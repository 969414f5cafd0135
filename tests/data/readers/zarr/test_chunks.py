"""Chunks decoded without Zarr's reader, against Zarr's reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import LZ4, Blosc, Zlib, Zstd
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec

from lamina.data.readers import open_volume
from lamina.data.readers.zarr.chunks import PlainChunks, unpacked_size
from lamina.errors import DataError
from lamina.volume import read_all

CUBE = np.random.default_rng(0).integers(0, 500, (5, 6, 7)).astype(np.uint16)

PLAIN: dict[str, dict[str, Any]] = {
    "bare": {"compressors": None},
    "zstd": {"compressors": ZstdCodec(level=3)},
    "zstd with a checksum": {"compressors": ZstdCodec(checksum=True)},
    "blosc": {"compressors": BloscCodec(cname="lz4", shuffle="bitshuffle")},
    "big endian": {"serializer": BytesCodec(endian="big"), "compressors": None},
    "sparse": {"fill_value": 77},
    "second, bare": {"zarr_format": 2, "compressors": None},
    "second, blosc": {"zarr_format": 2, "compressors": Blosc()},
    "second, zstd": {"zarr_format": 2, "compressors": Zstd()},
    "second, lz4": {"zarr_format": 2, "compressors": LZ4()},
    "second, columns first": {"zarr_format": 2, "order": "F"},
    "second, slashes": {
        "zarr_format": 2,
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
}
OTHER: dict[str, dict[str, Any]] = {
    "gzip": {"compressors": GzipCodec()},
    "sharded": {"shards": (4, 6, 6)},
    "two": {"compressors": [ZstdCodec(), GzipCodec()]},
    "second, zlib": {"zarr_format": 2, "compressors": Zlib()},
}


def made(path: Path, name: str) -> zarr.Array[Any]:
    options = (PLAIN | OTHER)[name]
    array = zarr.create_array(path, shape=CUBE.shape, chunks=(2, 3, 3), dtype="u2", **options)
    if name == "sparse":
        array[:2] = CUBE[:2]
    else:
        array[...] = CUBE
    return array


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_box_is_what_zarr_reads(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / "a.zarr"
    array = zarr.open_array(path, mode="r") if path.exists() else made(path, name)
    chunks = PlainChunks.of(array, path)
    assert chunks is not None
    box = tuple(
        slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
        for n in CUBE.shape
    )
    np.testing.assert_array_equal(chunks.read(box), np.asarray(array[box]))


@pytest.mark.parametrize("name", OTHER)
def test_all_other_kinds_are_left_to_zarr(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zarr"
    assert PlainChunks.of(made(path, name), path) is None
    np.testing.assert_array_equal(read_all(open_volume(path))[0], CUBE)


@pytest.mark.parametrize(
    ("codec", "pack"),
    [("blosc", Blosc().encode), ("zstd", Zstd().encode), ("lz4", LZ4().encode)],
)
@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_791, 65_792, 70_000])
def test_packed_bytes_claim_what_they_become(codec: str, pack: Any, size: int) -> None:
    assert unpacked_size(codec, bytes(pack(b"ab" * (size // 2) + b"a" * (size % 2)))) == size


def test_what_is_no_frame_claims_nothing() -> None:
    assert unpacked_size("zstd", b"hello world") is None


@pytest.mark.parametrize("name", ["blosc", "zstd", "second, lz4"])
def test_fault_I07_a_chunk_that_would_become_more_than_it_should_is_not_unpacked(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.zarr"
    made(path, name)
    pack = {"blosc": Blosc, "zstd": Zstd, "second, lz4": LZ4}[name]()
    chunk = path / ("0.0.0" if name.startswith("second") else "c/0/0/0")
    chunk.write_bytes(pack.encode(bytes(1 << 20)))
    with pytest.raises(DataError, match=r"holds 1048576 bytes, not 36"):
        read_all(open_volume(path))
