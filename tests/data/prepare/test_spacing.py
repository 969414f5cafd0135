"""Distances between voxels: overridden, made alike, and refused where they are not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.catalogs.volume_pairs import VolumePairs
from lamina.data.network_input.frame import Frame
from lamina.data.prepare.spacing import (
    about_resampling,
    about_spacing,
    check_spacing,
    check_turns,
    check_values,
    common_spacing,
    resampled_shapes,
)
from lamina.data.views.resampling.spacing import spacing_of
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


def test_a_volume_that_does_not_state_a_spacing_of_this_unit_is_refused() -> None:
    frame = Frame(size=(4, 4, 4), spacing=(3, 1, 1))
    check_spacing(known((5, 1, 1)), frame)
    check_spacing(known(None), Frame(size=(4, 4, 4)))
    with pytest.raises(DataError, match=r"does not say how far .* say it with data\.spacing"):
        check_spacing(known(None), frame)
    with pytest.raises(DataError, match=r"0\.003 x 0\.001 x 0\.001 apart, .* another unit\?"):
        check_spacing(known((0.003, 0.001, 0.001)), frame)


def test_volumes_are_brought_to_the_median_where_they_differ() -> None:
    alike = [case("a", (3, 1, 1)), case("b", (3.1, 1, 1))]
    assert common_spacing(alike) is None
    assert common_spacing([*alike, case("c", (6, 1, 0.5))]) == (3.1, 1, 1)
    assert common_spacing([*alike, case("c", (6, 1, 0.5)), case("d", None)]) is None


def test_it_is_said_which_volumes_are_resampled_and_by_how_much() -> None:
    frame = Frame(size=(4, 4, 4), spacing=(3, 1, 1))
    cases = [case("a", (3.1, 1, 1)), case("b", (6, 1, 0.5))]
    assert resampled_shapes(cases, frame) == {"b": (8, 5, 3)}
    (line,) = about_resampling(cases, frame)
    assert (
        line == "b: 6 x 1 x 0.5 to 3 x 1 x 1 apart (z, y, x), 4 x 5 x 6 to 8 x 5 x 3 voxels (zyx)"
    )


def test_values_to_restore_are_not_resampled() -> None:
    frame = Frame(size=(4, 4, 4), spacing=(3, 1, 1))
    check_values([case("a", (3.1, 1, 1))], frame, restore=True)
    check_values([case("b", (6, 1, 1))], frame, restore=False)
    with pytest.raises(DataError, match=r"case b: .* values to restore are not resampled"):
        check_values([case("b", (6, 1, 1))], frame, restore=True)


def test_volumes_of_different_distances_are_told() -> None:
    alike = [case("a", (3, 1, 1)), case("b", (3.1, 1, 1)), case("c", None)]
    assert not list(about_spacing(alike))
    assert not list(about_spacing([case("c", None)]))
    (said,) = about_spacing([*alike, case("d", (1, 1, 1.5))])
    assert "between 1 x 1 x 1 and 3.1 x 1 x 1.5 apart (z, y, x)" in said


def test_quarter_turns_are_refused_across_other_distances() -> None:
    frame = Frame(size=(4, 4, 4))
    check_turns([case("a", (9, 1, 1.05)), case("b", None)], "predict.views=dihedral", frame)
    with pytest.raises(DataError, match=r"case b: .* 1 apart along y and 2 along x, and predict"):
        check_turns([case("a", (9, 1, 1)), case("b", (1, 1, 2))], "predict.views=dihedral", frame)
    resampled = Frame(size=(4, 4, 4), spacing=(1, 1, 1))
    check_turns([case("b", (1, 1, 2))], "predict.views=dihedral", resampled)
