"""Figures of labelme are drawn as labelme draws them (READ-30)."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lamina.data.targets.annotations.drawn_shapes import drawn
from lamina.data.targets.annotations.shapes import ShapesTarget
from lamina.errors import DataError
from lamina.volume import read_all

coordinates = st.floats(-5, 40, width=32)
points = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8)


def mask_of(found: dict[str, Any], rows: int, columns: int) -> Any:
    return read_all(ShapesTarget("a", (rows, columns), ((drawn(found),),)))[0]


@settings(max_examples=200, deadline=None)
@given(points, st.integers(1, 40), st.integers(1, 40))
def test_READ_30_polygons_are_those_of_labelme(
    corners: list[tuple[float, float]], rows: int, columns: int
) -> None:
    """As ``labelme.utils.shape_to_mask`` has it."""
    canvas = Image.fromarray(np.zeros((rows, columns), np.uint8))
    ImageDraw.Draw(canvas).polygon(xy=[tuple(corner) for corner in corners], outline=1, fill=1)
    found = mask_of({"shape_type": "polygon", "points": [list(p) for p in corners]}, rows, columns)
    np.testing.assert_array_equal(found, np.asarray(canvas))


def test_READ_30_figures_by_hand() -> None:
    rectangle = mask_of({"shape_type": "rectangle", "points": [[3, 2], [1, 1]]}, 4, 5)
    assert np.argwhere(rectangle).min(0).tolist() == [1, 1]
    assert np.argwhere(rectangle).max(0).tolist() == [2, 3]
    assert rectangle.sum() == 6
    circle = mask_of({"shape_type": "circle", "points": [[10, 10], [10, 15]]}, 21, 21)
    assert abs(int(circle.sum()) - np.pi * 5.5**2) < 4  # 11 pixels across
    assert (circle == circle.T).all()
    assert (circle == circle[::-1]).all()


def png(mask: Any) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_READ_30_a_mask_lies_at_its_place_and_is_cut_at_the_border() -> None:
    corner = np.eye(3, dtype=np.uint8) * 255
    found = mask_of({"shape_type": "mask", "points": [[2, 1], [4, 3]], "mask": png(corner)}, 3, 5)
    assert found.tolist() == [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]
    outside = {"shape_type": "mask", "points": [[-2, -2]], "mask": png(corner)}
    assert mask_of(outside, 3, 5).tolist()[0] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"shape_type": "line", "points": [[0, 0], [1, 1]]}, "a line has no area"),
        ({"shape_type": "point", "points": [[0, 0]]}, "a point has no area"),
        ({"points": [[0, 0], [1, 1]]}, "a polygon of 2 points"),
        ({"shape_type": "circle", "points": [[0, 0]]}, "a circle of 1 points"),
        ({"points": [[0, 0], [1], [2, 2]]}, "no pairs of numbers"),
        ({"points": None}, "no pairs of numbers"),
        ({"points": [[0, 0], [1, float("inf")], [2, 2]]}, "no place in an image"),
        ({"shape_type": "mask", "points": [[0, 0]], "mask": "!"}, "a mask that is no image"),
        ({"shape_type": "mask", "points": [], "mask": png(np.eye(2, dtype=bool))}, "a place"),
    ],
)
def test_READ_30_shapes_without_an_area_are_refused(found: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        drawn(found)
