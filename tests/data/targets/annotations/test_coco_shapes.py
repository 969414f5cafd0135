"""Polygons and codes of COCO are pycocotools' pixel for pixel (READ-30)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamina.data.targets.annotations.coco_shapes import decompressed, polygon, runs
from lamina.data.targets.annotations.shapes import ShapesTarget
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import read_all

numbers = st.floats(-8, 70, width=32) | st.integers(-3, 60).map(float)


def mask_of(xy: list[float], rows: int, columns: int) -> Any:
    target = ShapesTarget("a", (rows, columns), ((polygon(xy),),))
    return read_all(target)[0]


def test_READ_30_polygons_by_hand() -> None:
    # a box from x 1 to 4 and y 1 to 3 covers three columns and two rows of pixels
    found = mask_of([1, 1, 4, 1, 4, 3, 1, 3], 4, 6)
    assert found.tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert mask_of([-5, -5, 50, -5, 50, 50, -5, 50], 3, 2).all()  # cut at the border
    assert not mask_of([10, 10, 20, 10, 20, 20], 3, 2).any()  # beside the image


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_READ_30_polygons_are_those_of_pycocotools(
    corners: list[tuple[float, float]], rows: int, columns: int
) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    xy = [value for corner in corners for value in corner]
    wanted = coco.decode(coco.merge(coco.frPyObjects([xy], rows, columns)))
    np.testing.assert_array_equal(mask_of(xy, rows, columns), wanted)


@settings(max_examples=200, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_READ_30_codes_are_those_of_pycocotools(mask: Any) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    text = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    size = list(mask.shape)
    np.testing.assert_array_equal(runs(text, size).window(mask.shape)[2], mask)
    plain = decompressed(text)
    np.testing.assert_array_equal(runs(plain, size).window(mask.shape)[2], mask)


def test_READ_30_a_code_by_hand_runs_down_the_columns() -> None:
    found = runs([1, 2, 3], [2, 3]).window((2, 3))[2].astype(int)
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


@given(st.text(max_size=12))
def test_READ_30_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        found = runs(text, [3, 4])
    except DataError:
        return
    assert int(found.counts.sum()) == 12


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([1, 2], [2, 3]),
        ([7], [2, 3]),
        ([-1, 7], [2, 3]),
        ([1.5, 4.5], [2, 3]),
        ("`", [2, 3]),
        ([6], [2, "3"]),
        ([6], None),
        (None, [2, 3]),
    ],
)
def test_READ_30_broken_codes_are_refused(counts: Any, size: Any) -> None:
    with pytest.raises(DataError, match="code"):
        runs(counts, size)


@pytest.mark.parametrize(
    "xy",
    [[1, 2, 3, 4], [1, 2, 3, 4, 5], [0, 0, 1, 1, 2, float("nan")], ["a"] * 6, [[0, 0], [1, 1]], 3],
)
def test_READ_30_broken_polygons_are_refused(xy: Any) -> None:
    with pytest.raises(DataError, match="a polygon"):
        polygon(xy)


def test_READ_30_parts_are_read_as_the_whole() -> None:
    target = ShapesTarget(
        "a",
        (9, 11),
        (
            (polygon([1, 1, 8, 2, 5, 8]), runs([20, 30, 49], [9, 11])),
            (),
            (polygon([0, 0, 4, 0, 4, 4]),),
        ),
    )
    whole = read_all(target)
    assert whole.shape == (3, 9, 11)
    assert target.areas() == whole.sum(axis=(1, 2)).tolist()
    for top, left, bottom, right in ((0, 0, 3, 4), (2, 3, 9, 11), (8, 10, 9, 11)):
        part = target.read(Region((top, left), (bottom, right)))
        np.testing.assert_array_equal(part, whole[:, top:bottom, left:right])
