"""Distances between voxels as volumes state them, and the shape at another spacing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lamina.data.readers import open_volume
from lamina.data.views.resampling.spacing import differ, shape_at, spacing_of
from lamina.volume import NOWHERE, ArrayVolume, Placement

CUBE = np.zeros((1, 4, 5, 6), np.uint8)


@dataclass(frozen=True)
class Known(ArrayVolume):
    """An array that says how far its voxels are apart, in stored order."""

    placement: Placement = NOWHERE


def known(spacing: Sequence[float | None] | None, axes: str = "zyx") -> Known:
    return Known(CUBE, axes, "a", Placement(spacing=None if spacing is None else tuple(spacing)))


def test_distances_are_along_z_y_and_x_whatever_the_stored_order() -> None:
    assert spacing_of(known((3, 2, 1))) == (3, 2, 1)
    assert spacing_of(known((1, 2, 3), "xyz")) == (3, 2, 1)
    assert spacing_of(known((1, None, 3))) is None
    assert spacing_of(known(None)) is None


def test_files_say_them(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.zeros((6, 5, 4), np.uint8), np.diag([0.7, 0.8, 2.5, 1]))
    nibabel.save(image, tmp_path / "a.nii")
    assert spacing_of(open_volume(tmp_path / "a.nii")) == pytest.approx((2.5, 0.8, 0.7))
    tifffile.imwrite(
        tmp_path / "a.tif",
        CUBE[0],
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.25),
        metadata={"spacing": 3.0, "unit": "um", "axes": "ZYX"},
    )
    assert spacing_of(open_volume(tmp_path / "a.tif")) == pytest.approx((3, 0.25, 0.5))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [((1, 1, 1), (1.09, 1, 1), False), ((1, 1, 1), (1, 1.12, 1), True), ((2,), (1.8,), True)],
)
def test_a_tenth_of_difference_counts_as_equal(
    one: tuple[float, ...], other: tuple[float, ...], apart: bool
) -> None:
    assert differ(one, other) == differ(other, one) == apart


@pytest.mark.parametrize(
    ("spacing", "axes", "shape"),
    [
        (None, "zyx", (4, 5, 6)),
        ((2.1, 1, 1), "zyx", (4, 5, 6)),
        ((1, 1, 1), "zyx", (8, 5, 6)),
        ((4, 0.5, 100), "zyx", (2, 10, 1)),
        ((1, 2, 4), "xyz", (2, 2, 6)),
    ],
)
def test_the_shape_covers_the_same_length(
    spacing: tuple[float, ...] | None, axes: str, shape: tuple[int, ...]
) -> None:
    own = (2, 1, 1) if axes == "zyx" else (2, 1, 1.0)
    assert shape_at(known(own, axes), spacing) == shape


def test_what_does_not_say_its_spacing_keeps_its_shape() -> None:
    assert shape_at(known(None), (1, 1, 1)) == (4, 5, 6)
