"""Names of stored axes by hand, and volumes whose sides say that they are exchanged."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from lamina.data.catalogs import VolumePairs
from lamina.doctor.orientation.axis_names import (
    named,
    orders_between,
    stored_axes,
    transposed_volumes,
)
from lamina.task import Task
from lamina.volume import read_all

NPY = VolumePairs(image="image.npy", target="label.npy")
BINARY = Task(kind="binary", names=("it",))


def test_names_of_stored_axes_by_hand() -> None:
    stored = np.empty((2, 3, 4))  # named x, z, y
    order = (1, 2, 0)  # zyx
    assert stored.transpose(order).shape == (3, 4, 2)
    assert named("zyx", order) == "xzy"
    assert stored_axes(NPY, "a", "zyx", order) == "xzy"


def test_what_the_catalog_does_already_comes_first() -> None:
    by_name = NPY.model_copy(update={"transpose": {"a*": "yzx"}})
    assert stored_axes(by_name, "a1", "zyx", (1, 0, 2)) == "zyx"
    assert stored_axes(by_name, "b1", "zyx", (1, 0, 2)) == "yzx"
    by_number = NPY.model_copy(update={"transpose": {"a": (1, 0, 2)}})
    assert stored_axes(by_number, "a", "zyx", (0, 2, 1)) == "xzy"


@pytest.mark.parametrize("first", list(permutations(range(3))))
@pytest.mark.parametrize("second", list(permutations(range(3))))
def test_the_names_undo_both_orders(
    tmp_path: Path, first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    """Whatever a recipe does to a volume, the names take it to where ``second`` would."""
    folder = tmp_path / "a"
    folder.mkdir()
    stored = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    np.save(folder / "image.npy", stored)
    np.save(folder / "label.npy", np.zeros((3, 3, 3), np.uint8))
    given = NPY.model_copy(update={"transpose": {"a": first}})
    wanted = stored.transpose(first).transpose(second)
    names = stored_axes(given, "a", "zyx", second)
    mended = NPY.model_copy(update={"transpose": {"a": names}})
    (case,) = mended.open(tmp_path, BINARY).cases
    np.testing.assert_array_equal(read_all(case.image)[0], wanted)


def test_orders_between_shapes() -> None:
    assert orders_between((4, 3, 2), (2, 3, 4)) == ((2, 1, 0),)
    assert orders_between((2, 3, 2), (2, 2, 3)) == ((0, 2, 1), (2, 0, 1))
    assert orders_between((2, 3, 4), (2, 3, 5)) == ()


def test_fault_I14_volumes_with_exchanged_sides_are_found(tmp_path: Path) -> None:
    for name, shape in {"a": (4, 5, 6), "b": (5, 4, 6), "c": (6, 5, 7), "d": (6, 4, 5)}.items():
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "image.npy", np.zeros(shape, np.float32))
        np.save(folder / "label.npy", np.zeros((4, 5, 6), np.uint8))
    data = NPY.model_copy(update={"exclude": ("d",)})
    assert transposed_volumes(data, tmp_path) == {"b": "yzx"}
    assert transposed_volumes(NPY, tmp_path) == {"b": "yzx", "d": "xzy"}
