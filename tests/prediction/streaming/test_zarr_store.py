"""The store of answers, against numpy and against what happens to files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.prediction.streaming import zarr_store as module
from lamina.prediction.streaming.zarr_store import Store


def filled(path: Path, shape: tuple[int, ...], **more: Any) -> tuple[Store, NDArray[np.float16]]:
    values = np.random.default_rng(0).random(shape).astype(np.float16)
    made = Store.begin(path, "zyx", shape, np.float16, **more)
    for region in made.slabs():
        made.write(region, values[(slice(None), *region.slices)])
    return made, values


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from([{}, {0: 4}, {1: 2}, {2: 16}]),
    st.data(),
)
def test_boxes_and_slabs_cover_a_region_once_and_are_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int, int],
    slab: dict[int, int],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("store") / "a.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", 64)
        patch.setattr(module, "_PART", 1024)
        _, values = filled(path, shape, slab=slab)
    found = Store.open(path)
    np.testing.assert_array_equal(found.read(), values)
    cuts = [sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n)))) for n in shape[1:]]
    region = Region(tuple(a for a, _ in cuts), tuple(b for _, b in cuts))
    count = np.zeros(shape[1:], int)
    for box in found.boxes(region) if min(region.shape) else ():
        count[box.slices] += 1
        wanted = values[(slice(None), *box.slices)]
        np.testing.assert_array_equal(found.read(box), wanted)
        sides = found.array.chunks[1:]
        assert all(
            a // n == (b - 1) // n for a, b, n in zip(box.start, box.stop, sides, strict=True)
        )
    inside = np.zeros_like(count)
    inside[region.slices] = 1
    np.testing.assert_array_equal(count, inside)
    joined = np.concatenate([found.read(one) for one in found.slabs()], axis=1)
    np.testing.assert_array_equal(joined, values)


def test_the_library_of_zarr_reads_it_with_the_names_of_its_axes(tmp_path: Path) -> None:
    made, values = filled(tmp_path / "a.zarr", (2, 5, 6, 7), about={"bundles": ["b"]})
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(array[...], values)
    assert array.metadata.zarr_format == 3
    assert array.metadata.dimension_names == ("channel", "z", "y", "x")
    assert array.attrs["lamina"] == {"bundles": ["b"]}
    assert made.array.chunks == (1, 5, 6, 7)


def test_chunks_are_as_thick_as_slabs_and_hold_a_quarter_of_a_million(tmp_path: Path) -> None:
    def chunks(shape: tuple[int, ...], slab: dict[int, int]) -> tuple[int, ...]:
        shutil.rmtree(tmp_path / "a.zarr", ignore_errors=True)
        made = Store.begin(tmp_path / "a.zarr", "zyx", shape, np.float16, slab=slab)
        return tuple(made.array.chunks)

    assert chunks((1, 512, 512, 512), {2: 64}) == (1, 64, 64, 64)
    assert chunks((1, 2048, 512, 512), {0: 64}) == (1, 64, 64, 64)
    assert chunks((1, 4096, 4096, 4096), {2: 4}) == (1, 2, 4096, 4)
    assert chunks((2, 512, 512, 512), {1: 16}) == (1, 64, 16, 256)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(1, 64, 64, 64), (2, 70, 9, 130)])
def test_files_are_those_that_zarr_writes_to_the_byte(
    tmp_path: Path, dtype: type[np.floating[Any]], shape: tuple[int, ...]
) -> None:
    """And what is noted of them is the digest of the files; chunks at the end hold NaN beyond."""
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    whole = Region.whole(shape[1:])
    ours, theirs = (
        Store.begin(tmp_path / name, "zyx", shape, dtype, slab={2: 64}) for name in ("a.zarr", "b")
    )
    noted = ours.put(whole, lambda box: values[(slice(None), *box.slices)])
    for box in theirs.boxes(whole):
        theirs.write(box, values[(slice(None), *box.slices)].astype(dtype))
    files = [
        {
            path.relative_to(one.path): path.read_bytes()
            for path in (one.path / "c").rglob("*/*")
            if path.is_file()
        }
        for one in (ours, theirs)
    ]
    assert len(files[0]) == ours.array.nchunks
    assert files[0] == files[1]
    assert noted == ours.digest(whole)


def test_regions_that_cut_chunks_are_written_too(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((1, 64, 64, 64)).astype(np.float32)
    made = Store.begin(tmp_path / "a.zarr", "zyx", values.shape, np.float32)
    for rows in ((0, 40), (40, 64)):
        part = Region((rows[0], 0, 0), (rows[1], 64, 64))
        noted = made.put(part, lambda box: values[(slice(None), *box.slices)])
        assert noted == made.digest(part)
    np.testing.assert_array_equal(made.read(), values)


def test_a_missing_or_damaged_chunk_is_refused(tmp_path: Path) -> None:
    made, _ = filled(tmp_path / "a.zarr", (1, 4, 5, 6))
    whole = Region.whole((4, 5, 6))
    before, chunk = made.digest(whole), tmp_path / "a.zarr/c/0/0/0/0"
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1])
    assert before is not None
    assert made.digest(whole) not in (None, before)
    chunk.write_bytes(b"\0" * 3)
    with pytest.raises(DataError, match="is damaged"):
        Store.open(tmp_path / "a.zarr").read()
    chunk.unlink()
    assert made.digest(whole) is None
    with pytest.raises(DataError, match="0 of 1 chunks"):
        Store.open(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/zarr.json").write_text("{")
    with pytest.raises(DataError, match="not readable as a Zarr array"):
        Store.open(tmp_path / "a.zarr")


def test_it_goes_on_with_its_own_and_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    filled(path, (1, 4, 5, 6), about={"plan": "1"})
    left = path / "c/0/0/0/0.abc.partial"
    left.write_bytes(b"half")
    made = Store.begin(path, "zyx", (1, 4, 5, 6), np.float16, about={"plan": "1"})
    assert np.isfinite(made.read()).all()
    assert not left.exists()
    made = Store.begin(path, "zyx", (1, 4, 5, 6), np.float16, about={"plan": "2"})
    assert np.isnan(made.read()).all()
