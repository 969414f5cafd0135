"""Outlines along pixel edges: area, holes and the mask that they fill again."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.geometry.polygons import Polygon, polygons


def filled(found: list[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies within, by counting edges to the right (even-odd)."""
    crossings = np.zeros(shape, int)
    for polygon in found:
        for ring in (polygon.outer, *polygon.holes):
            for (y0, x0), (y1, x1) in itertools.pairwise(ring.tolist()):
                if x0 == x1:  # an edge that runs up or down, crossed by what lies left of it
                    crossings[min(y0, y1) : max(y0, y1), :x0] += 1
    return np.asarray(crossings % 2 == 1)


def test_a_drawn_shape_has_the_corners_of_its_edges() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    (polygon,) = polygons(mask)
    assert polygon.holes == ()
    corners = {tuple(corner) for corner in polygon.outer.tolist()}
    assert corners == {(0, 1), (0, 3), (1, 3), (1, 2), (2, 2), (2, 1)}
    assert polygon.outer[0].tolist() == polygon.outer[-1].tolist()
    assert polygon.area == 3


def test_a_ring_has_a_hole_that_runs_the_other_way() -> None:
    mask = np.ones((5, 6), bool)
    mask[1:3, 2:5] = False
    (polygon,) = polygons(mask, offset=(10, 20))
    assert len(polygon.holes) == 1
    assert polygon.area == mask.sum()
    assert polygon.outer.min(axis=0).tolist() == [10, 20]
    assert polygon.holes[0].min(axis=0).tolist() == [11, 22]

    def turn(ring: NDArray[np.int64]) -> float:
        y, x = ring[:-1].T, ring[1:].T
        return float((y[1] * x[0] - x[1] * y[0]).sum())

    assert turn(polygon.outer) > 0 > turn(polygon.holes[0])


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0.1, 0.9), st.tuples(st.integers(1, 12), st.integers(1, 12))
)
def test_outlines_fill_the_mask_again_and_their_area_is_its_pixels(
    seed: int, share: float, shape: tuple[int, int]
) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    found = polygons(mask)
    np.testing.assert_array_equal(filled(found, shape), mask)
    assert sum(polygon.area for polygon in found) == mask.sum()
    count = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    assert len(found) == count


@pytest.mark.parametrize("mask", [np.zeros((4, 5), bool), np.ones((1, 1), bool)])
def test_nothing_and_a_single_pixel(mask: NDArray[np.bool_]) -> None:
    assert [polygon.area for polygon in polygons(mask)] == [1.0] * int(mask.sum())
