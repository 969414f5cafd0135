"""The npz of coordinates against numpy, extended, refused, and in bounded memory (FAULT-15)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.result.submissions import CoordinatesNpz, Part
from lamina.result.submissions.coordinates_npz import read_coordinates

volumes = arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=5))


def cut(masks: NDArray[np.bool_], thick: int) -> Iterator[Part]:
    whole = masks.shape[1:]
    for start in range(0, whole[0], thick):
        stop = min(start + thick, whole[0])
        yield Region((start, 0, 0), (stop, *whole[1:])), masks[:, start:stop]


def there(path: Path) -> dict[str, list[list[int]]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].tolist() for name in archive.files}


def test_by_hand(tmp_path: Path) -> None:
    """FAULT-15."""
    mask = np.zeros((1, 2, 3, 4), np.bool_)
    mask[0, 1, 0, 3] = mask[0, 0, 2, 1] = mask[0, 1, 0, 0] = True
    out = tmp_path / "s.npz"
    assert CoordinatesNpz().write([("2023-10-05_a", mask), ("b", mask & False)], out) == 2
    with np.load(out, allow_pickle=False) as archive:
        found = archive["2023-10-05_a"]
        assert (found.dtype, archive["b"].shape) == (np.uint16, (0, 3))
    assert found.tolist() == [[0, 2, 1], [1, 0, 0], [1, 0, 3]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(volumes, st.integers(1, 4))
def test_agrees_with_argwhere_however_it_is_cut(
    tmp_path: Path, mask: NDArray[np.bool_], thick: int
) -> None:
    out = tmp_path / "s.npz"
    CoordinatesNpz().write_parts([("a", cut(mask[None], thick))], out)
    ((name, found),) = read_coordinates(out)
    assert (name, found.dtype) == ("a", np.uint16)
    np.testing.assert_array_equal(found, np.argwhere(mask))
    back = np.zeros_like(mask)
    back[tuple(found.T)] = True
    np.testing.assert_array_equal(back, mask)


def test_equal_masks_make_equal_bytes_however_they_are_cut(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((1, 7, 5, 6)) < 0.2
    CoordinatesNpz().write([("a", mask)], tmp_path / "whole.npz")
    CoordinatesNpz().write_parts([("a", cut(mask, 2))], tmp_path / "parts.npz")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "parts.npz").read_bytes()


def test_an_archive_is_extended_and_a_volume_of_the_same_name_replaced(
    tmp_path: Path,
) -> None:
    """FAULT-15."""
    out = tmp_path / "s.npz"
    one, two = np.zeros((2, 1, 1, 2, 2), np.bool_)
    one[..., 0, 0] = two[..., 1, 1] = True
    np.savez(out, a=np.argwhere(one[0]).astype(np.uint16), b=np.zeros((0, 3), np.uint16))
    CoordinatesNpz().write([("c", two)], out)
    assert there(out) == {"c": [[0, 1, 1]], "a": [[0, 0, 0]], "b": []}
    CoordinatesNpz().write([("a", two)], out)
    assert there(out) == {"a": [[0, 1, 1]], "c": [[0, 1, 1]], "b": []}
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


def test_arrays_that_numpy_wrote_in_columns_are_read_in_rows(tmp_path: Path) -> None:
    mask = np.random.default_rng(2).random((4, 5, 6)) < 0.3
    columns = np.argwhere(mask).astype(np.uint16)
    assert columns.flags.f_contiguous
    np.savez_compressed(tmp_path / "s.npz", a=columns)
    assert dict(read_coordinates(tmp_path / "s.npz"))["a"].tolist() == columns.tolist()


def test_of_background_and_object_the_object_is_written(tmp_path: Path) -> None:
    fault = np.random.default_rng(3).random((2, 3, 4)) < 0.5
    CoordinatesNpz().write([("a", np.stack([~fault, fault]))], tmp_path / "s.npz")
    assert there(tmp_path / "s.npz")["a"] == np.argwhere(fault).tolist()
    CoordinatesNpz(output=0).write([("a", np.stack([~fault, fault]))], tmp_path / "s.npz")
    assert there(tmp_path / "s.npz")["a"] == np.argwhere(~fault).tolist()


def volume(*shape: int) -> NDArray[np.bool_]:
    return np.ones(shape, np.bool_)


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([("a", volume(1, 2, 2))], "2 axes .* holds volumes"),
        ([("a", volume(2, 1, 1, 1))], "2 outputs, .* set submit.output"),
        ([("a", volume(3, 1, 1, 1))], "3 outputs, .* set submit.output"),
        ([("a", np.broadcast_to(True, (1, 1, 1, 65537)))], "counts to 65536"),
        ([("a", volume(1, 1, 1, 1)), ("a", volume(1, 1, 1, 1))], "duplicate case id"),
        ([("a.npy", volume(1, 1, 1, 1))], "cannot be a name"),
        ([("../a", volume(1, 1, 1, 1))], "cannot be a name"),
        ([("/a", volume(1, 1, 1, 1))], "cannot be a name"),
        ([("", volume(1, 1, 1, 1))], "cannot be a name"),
    ],
)
def test_a_refusal_leaves_the_earlier_file(cases: Any, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", old=np.ones((1, 3), np.uint16))
    before = (tmp_path / "s.npz").read_bytes()
    with pytest.raises(DataError, match=message):
        CoordinatesNpz().write(cases, tmp_path / "s.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]
    assert (tmp_path / "s.npz").read_bytes() == before


def test_the_last_index_of_16_bits_is_written(tmp_path: Path) -> None:
    mask = np.zeros((1, 1, 1, 65536), np.bool_)
    mask[..., -1] = True
    CoordinatesNpz().write([("a", mask)], tmp_path / "s.npz")
    assert there(tmp_path / "s.npz") == {"a": [[0, 0, 65535]]}
    with pytest.raises(DataError, match=r"submit\.output is 1"):
        CoordinatesNpz(output=1).write([("a", mask)], tmp_path / "s.npz")


@pytest.mark.parametrize("what", ["text", "cut", "flipped", "folder"])
def test_a_damaged_archive_is_neither_extended_nor_read(what: str, tmp_path: Path) -> None:
    out = tmp_path / "s.npz"
    np.savez(out, a=np.arange(3000, dtype=np.uint16).reshape(-1, 3))
    data = bytearray(out.read_bytes())
    if what == "text":
        out.write_bytes(b"id,rle\n")
    elif what == "cut":
        out.write_bytes(data[: len(data) // 2])
    elif what == "flipped":
        data[len(data) // 2] ^= 1
        out.write_bytes(data)
    else:
        out.unlink()
        out.mkdir()
    with pytest.raises(DataError, match=r"s\.npz: .* cannot be read as npz"):
        CoordinatesNpz().write([("b", volume(1, 1, 1, 1))], out)
    with pytest.raises(DataError, match=r"s\.npz: .* cannot be read as npz"):
        list(read_coordinates(out))


def test_other_arrays_are_no_coordinates(tmp_path: Path) -> None:
    for array in (np.ones((2, 3)), np.ones((2, 2), np.uint16), np.array([{}], object)):
        np.savez(tmp_path / "s.npz", a=array)
        with pytest.raises(DataError, match="cannot be read"):
            list(read_coordinates(tmp_path / "s.npz"))
    with pytest.raises(DataError, match="no such file"):
        list(read_coordinates(tmp_path / "gone.npz"))


def test_a_header_that_promises_more_than_there_is_makes_nothing(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "s.npz", "w") as archive,
        archive.open("a.npy", "w") as entry,
    ):
        header = {"descr": "<u2", "fortran_order": False, "shape": (10**12, 3)}
        np.lib.format.write_array_header_1_0(entry, header)
    with pytest.raises(DataError, match="0 bytes for 1000000000000 coordinates"):
        list(read_coordinates(tmp_path / "s.npz"))


def test_memory_does_not_grow_with_the_depth(tmp_path: Path) -> None:
    page = np.random.default_rng(4).random((1, 8, 96, 96)) < 0.05

    def slabs(count: int) -> Iterator[Part]:
        for z in range(0, 8 * count, 8):
            yield Region((z, 0, 0), (z + 8, 96, 96)), page

    def peak(count: int) -> int:
        tracemalloc.start()
        CoordinatesNpz().write_parts([("a", slabs(count))], tmp_path / f"{count}.npz")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(64) < peak(16) + 100_000  # the coordinates alone grow by a megabyte
    ((_, found),) = read_coordinates(tmp_path / "64.npz")
    assert len(found) == 64 * page.sum()


KILLED = """
import sys, numpy as np
from pathlib import Path
from lamina.result.submissions import CoordinatesNpz
CoordinatesNpz().write([("new", np.ones((1, 2, 2, 2), bool))], Path(sys.argv[1]))
"""


@pytest.mark.parametrize("point", ["file.after_write:1", "file.before_rename:1"])
def test_a_kill_leaves_the_earlier_archive_whole(point: str, tmp_path: Path) -> None:
    """FAULT-15."""
    out = tmp_path / "s.npz"
    CoordinatesNpz().write([("old", volume(1, 1, 1, 2))], out)
    before = out.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(out)],
        env={**os.environ, "LAMINA_FAULT": point},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert out.read_bytes() == before
