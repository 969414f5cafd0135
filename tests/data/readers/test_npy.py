"""NPY: the header must fit the file, nothing is unpickled, channels where they are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.readers import NpyVolume, open_volume
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import read_all


def save(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize(("axes", "channel"), [("cyx", 0), ("ycx", 1), ("yxc", 2)])
def test_an_axis_named_c_is_the_channels(tmp_path: Path, axes: str, channel: int) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    volume = open_volume(save(tmp_path / "a.npy", array), axes)
    wanted = np.moveaxis(array, channel, 0)
    assert (volume.channels, *volume.shape) == wanted.shape
    assert volume.axes == "yx"
    np.testing.assert_array_equal(read_all(volume), wanted)
    np.testing.assert_array_equal(volume.read(Region((1, 0), (2, 2))), wanted[:, 1:2, 0:2])


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((4,), None, r"has 1 axes \(4,\), but only 2 or 3 are named by default; set data.axes"),
        ((2, 2, 2, 2), None, "has 4 axes"),
        ((2, 2, 2), "yx", r"has 3 axes \(2, 2, 2\), but 'yx' names 2; set data.axes to match"),
        ((2, 2), "yy", "must be two or three different small letters"),
        ((2, 2), "cx", "must be two or three different small letters"),
    ],
)
def test_axes_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...], axes: str | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        open_volume(save(tmp_path / "a.npy", np.zeros(shape)), axes)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(DataError, match="holds object, not numbers"):
        open_volume(tmp_path / "a.npy")


@pytest.mark.parametrize("dtype", ["c8", "U3", "M8[s]", [("a", "u1")]])
def test_other_types_than_numbers_are_refused(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(DataError, match=r"not numbers; save booleans|format version"):
        open_volume(save(tmp_path / "a.npy", np.zeros((2, 2), dtype)))


@pytest.mark.parametrize("shape", [(10**7, 10**7), (10**15, 10**15), (0, 5)])
def test_fault_I06_a_header_that_lies_takes_no_memory(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
    with pytest.raises(DataError, match=r"where its header says \d+; copy|holds no pixels"):
        open_volume(tmp_path / "a.npy")


def test_bytes_behind_the_array_are_not_passed_over(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.zeros((2, 2), np.uint8))
    with path.open("ab") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(DataError, match=r"bytes where its header says 132; save one array"):
        open_volume(path)


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.zeros((4, 4)))
    volume = open_volume(path)
    save(path, np.zeros((4, 5)))
    with pytest.raises(DataError, match="changed while it was in use"):
        read_all(volume)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        read_all(volume)


def test_big_files_stay_mapped_and_small_ones_hold_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(0).random((5, 6))
    volume = NpyVolume(save(tmp_path / "a.npy", array))
    read_all(volume)
    assert volume.__dict__["_kept"] is None
    monkeypatch.setattr("lamina.data.readers.npy._KEEP_OPEN", 1)
    for _ in range(2):
        np.testing.assert_array_equal(read_all(volume)[0], array)
    assert volume.__dict__["_kept"] is not None
    assert volume.__getstate__()["_kept"] is None
