"""The archive of the denoising competition, read back with numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.result.submissions import SlicesNpz

RNG = np.random.default_rng(0)
Results = list[tuple[str, NDArray[Any]]]


def slices(*volumes: str) -> Results:
    return [
        (f"{volume}/{axis}{index:04d}", RNG.normal(0.5, 0.4, (1, 125, 30)).astype(np.float32))
        for volume in volumes
        for axis in "xy"
        for index in (225, 75, 150)
    ]


def test_six_slices_a_volume_truncated_to_8_bits(tmp_path: Path) -> None:
    """NOISE-17: keys ID_gt.npy-i_n and -x_n, index (n + 1) * 75, trunc(255 y), no wrapping."""
    results, path = slices("77", "78"), tmp_path / "s.npz"
    assert SlicesNpz().write(results, path) == 12
    with np.load(path) as archive:
        assert list(archive) == [
            f"{volume}_gt.npy-{letter}_{n}"
            for volume in ("77", "78")
            for letter in "ix"
            for n in range(3)
        ]
        for name, values in results:
            volume, _, place = name.partition("/")
            letter, n = "i" if place[0] == "x" else "x", int(place[1:]) // 75 - 1
            found = archive[f"{volume}_gt.npy-{letter}_{n}"]
            assert found.dtype == np.uint8
            wanted = np.floor(np.clip(values[0].T.astype(np.float64), 0, 1) * 255)
            assert found.shape == (30, 125)
            assert np.abs(found - wanted).max() <= 1  # float32 at whole numbers
            assert (found == wanted).mean() > 0.999


def test_equal_values_make_equal_bytes(tmp_path: Path) -> None:
    results = slices("1")
    for name in ("a.npz", "b.npz"):
        SlicesNpz().write(results, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([("vol", np.zeros((1, 4, 4, 4)))], "is not a slice of a volume"),
        ([("image", np.zeros((1, 4, 4)))], "--slices 25%,50%,75%"),
        ([("v/z0001", np.zeros((1, 4, 4)))], "across the axis z"),
        ([("v/x0001", np.zeros((2, 4, 4)))], "has 2 channels"),
        ([("v/x0001", np.zeros((1, 4, 4)))] * 2, "duplicate case id"),
        (slices("v")[:-1], "volume v: has 2 slices across y"),
    ],
)
def test_what_is_no_set_of_slices_is_refused(tmp_path: Path, results: Results, says: str) -> None:
    with pytest.raises(DataError, match=says):
        SlicesNpz().write(results, tmp_path / "s.npz")
    assert not list(tmp_path.iterdir())
