"""Distances between voxels: read from files, said, overridden, and refused where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lamina.data.case import Case
from lamina.data.catalogs.volume_pairs import VolumePairs
from lamina.data.network_input.frame import Frame
from lamina.data.prepare.spacing import (
    about_spacing,
    check_spacing,
    check_turns,
    differ,
    spacing_of,
)
from lamina.data.readers import open_volume
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import NOWHERE, ArrayVolume, Placement, read_all

CUBE = np.zeros((1, 4, 5, 6), np.uint8)


@dataclass(frozen=True)
class Known(ArrayVolume):
    """An array that says how far its voxels are apart, in stored order."""

    placement: Placement = NOWHERE


def known(spacing: Sequence[float | None] | None, axes: str = "zyx") -> Known:
    return Known(CUBE, axes, "a", Placement(spacing=None if spacing is None else tuple(spacing)))


def case(id: str, spacing: Sequence[float | None] | None) -> Case:
    return Case(id, id, known(spacing))


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


def test_the_recipe_says_them_for_files_that_do_not(tmp_path: Path) -> None:
    for name in ("raw", "labels"):
        np.save(tmp_path / f"{name}.npy", CUBE[0])
    data = VolumePairs(image="raw.npy", target="labels.npy", spacing=(3, 0.5, 0.5))
    task = Task(names=("a",))
    (opened,) = data.open(tmp_path, task).cases
    assert spacing_of(opened.image) == (3, 0.5, 0.5)
    assert spacing_of(data.open_image(tmp_path / "raw.npy")) == (3, 0.5, 0.5)
    np.testing.assert_array_equal(read_all(opened.image), CUBE)
    plain = data.model_copy(update={"spacing": None}).open(tmp_path, task).cases[0]
    assert spacing_of(plain.image) is None


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [((1, 1, 1), (1.09, 1, 1), False), ((1, 1, 1), (1, 1.12, 1), True), ((2,), (1.8,), True)],
)
def test_a_tenth_of_difference_counts_as_equal(
    one: tuple[float, ...], other: tuple[float, ...], apart: bool
) -> None:
    assert differ(one, other) == differ(other, one) == apart


def test_a_volume_of_other_distances_than_the_frame_is_refused() -> None:
    frame = Frame(size=(4, 4, 4), spacing=(3, 1, 1))
    check_spacing(known((3.1, 1, 0.95)), frame)
    check_spacing(known(None), Frame(size=(4, 4, 4)))
    with pytest.raises(DataError, match=r"voxels are 5 x 1 x 1 apart .*: resample the file"):
        check_spacing(known((5, 1, 1)), frame)
    with pytest.raises(DataError, match=r"does not say how far .* say it with data\.spacing"):
        check_spacing(known(None), frame)


def test_volumes_of_different_distances_are_told() -> None:
    alike = [case("a", (3, 1, 1)), case("b", (3.1, 1, 1)), case("c", None)]
    assert not list(about_spacing(alike))
    assert not list(about_spacing([case("c", None)]))
    (said,) = about_spacing([*alike, case("d", (1, 1, 1.5))])
    assert "between 1 x 1 x 1 and 3.1 x 1 x 1.5 apart (z, y, x)" in said


def test_quarter_turns_are_refused_across_other_distances() -> None:
    check_turns([case("a", (9, 1, 1.05)), case("b", None)], "predict.views=dihedral")
    with pytest.raises(DataError, match=r"case b: .* 1 apart along y and 2 along x, and predict"):
        check_turns([case("a", (9, 1, 1)), case("b", (1, 1, 2))], "predict.views=dihedral")
