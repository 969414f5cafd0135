"""Mirroring by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.transforms import Flip, Where
from lamina.errors import OptionError

WHERE = Where(np.array([[-1], [1]], np.float32), np.array([[-2, 0, 2]], np.float32))


def test_only_the_picked_axes_are_mirrored() -> None:
    rows, columns, _ = Flip().move(WHERE, "x")
    assert rows.tolist() == [[-1], [1]]
    assert columns.tolist() == [[2, 0, -2]]
    rows, columns, _ = Flip().move(WHERE, "yx")
    assert rows.tolist() == [[1], [-1]]


def test_each_axis_is_mirrored_with_probability_p() -> None:
    rng = np.random.default_rng(0)
    picks = [Flip(p=0.25).pick((8, 8), rng) or "" for _ in range(2000)]
    for axis in "yx":
        assert sum(axis in pick for pick in picks) == pytest.approx(500, abs=80)
    assert sum(pick == "yx" for pick in picks) == pytest.approx(125, abs=50)


def test_no_other_axis_is_picked() -> None:
    assert {Flip(axes="x", p=1).pick((8, 8), np.random.default_rng(i)) for i in range(9)} == {"x"}
    assert Flip(p=0).pick((8, 8), np.random.default_rng(0)) is None


def test_planes_of_a_block_are_mirrored_too() -> None:
    block = Where(WHERE.rows[None], WHERE.columns[None], np.float32([[[-2]], [[2]]]))
    rows, columns, planes = Flip(axes="zyx").move(block, "z")
    assert planes is not None
    assert planes.ravel().tolist() == [2, -2]
    assert (rows is block.rows, columns is block.columns) == (True, True)
    assert Flip(axes="zyx").moves_planes
    assert not Flip().moves_planes


@pytest.mark.parametrize("axes", ["", "c", "xx"])
def test_axes_other_than_those_of_a_block_are_refused(axes: str) -> None:
    with pytest.raises(OptionError, match="must be x, y or yx"):
        Flip(axes=axes)
