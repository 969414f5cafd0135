"""Windows against their formulas written out slowly, and the law that makes blending exact."""

from __future__ import annotations

import doctest
import math
from functools import reduce
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.geometry.tiling import window as module
from lamina.geometry.tiling.grid import TileGrid
from lamina.geometry.tiling.window import Window, normalised, spline, window

KINDS: tuple[Window, ...] = get_args(Window)
sizes = st.integers(4, 400)


@given(st.sampled_from(KINDS), sizes)
def test_every_window_is_positive_symmetric_and_has_a_mean_of_one(kind: Window, size: int) -> None:
    weights = window(kind, size)
    assert weights.shape == (size,)
    assert weights.dtype == np.float64
    assert weights.min() > 0
    assert weights.astype(np.float32).min() > 0
    np.testing.assert_allclose(weights, weights[::-1], rtol=1e-9)
    assert weights.mean() == pytest.approx(1, abs=1e-12)


@given(st.sampled_from(KINDS), sizes)
def test_no_window_rises_towards_the_rim(kind: Window, size: int) -> None:
    outwards = window(kind, size)[size // 2 :]
    assert (np.diff(outwards) <= 1e-12).all()


def slow_spline(size: int) -> list[float]:
    """INK-23 pixel by pixel; the triangle is scipy's ``triang``."""
    weights = []
    for i in range(size):
        near = min(i, size - 1 - i)
        t = (2 * near + 1) / size if size % 2 == 0 else 2 * (near + 1) / (size + 1)
        weights.append((2 * t) ** 2 / 2 if near < size // 4 else 1 - (2 * (t - 1)) ** 2 / 2)
    mean = sum(weights) / size
    return [weight / mean for weight in weights]


@given(sizes)
def test_the_spline_is_the_one_of_the_ink_recipe(size: int) -> None:
    np.testing.assert_allclose(spline(size), slow_spline(size), rtol=1e-12)
    np.testing.assert_array_equal(window("spline", size), spline(size))


def test_the_forms_by_hand() -> None:
    assert window("constant", 3).tolist() == [1, 1, 1]
    np.testing.assert_allclose(window("linear", 4), [0.5, 1.5, 1.5, 0.5])
    np.testing.assert_allclose(window("linear", 3), [0.75, 1.5, 0.75])
    np.testing.assert_allclose(window("hann", 2), [1, 1])
    np.testing.assert_allclose(window("hann", 3), [0.5, 2, 0.5])
    bell = window("gaussian", 8)
    assert bell[4] / bell[5] == pytest.approx(math.exp((1.5**2 - 0.5**2) / 2))  # sigma 1 pixel


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(module).failed == 0


def test_sizes_without_a_form_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 pixels, not 3"):
        window("spline", 3)
    with pytest.raises(ValueError, match="at least 1 pixel, not 0"):
        window("hann", 0)


@st.composite
def blends(draw: st.DrawFn) -> tuple[Window, TileGrid]:
    axes = draw(st.integers(1, 3))
    tile = tuple(draw(st.integers(4, 24)) for _ in range(axes))
    step = tuple(draw(st.integers(1, n)) for n in tile)
    shape = tuple(draw(st.integers(1, (90, 50, 20)[axes - 1])) for _ in range(axes))
    return draw(st.sampled_from(KINDS)), TileGrid(shape, tile, step)


@settings(max_examples=80, deadline=None)
@given(blends())
def test_the_weights_of_all_tiles_sum_to_one_at_every_pixel(blend: tuple[Window, TileGrid]) -> None:
    """N06."""
    kind, grid = blend
    for extent, tile, starts, weights in zip(
        grid.shape, grid.tile, grid.starts, normalised(kind, grid), strict=True
    ):
        assert weights.shape == (len(starts), tile)
        assert weights.dtype == np.float32
        assert weights.min() > 0
        total, first = np.zeros(max(extent, tile), np.float32), starts[0]
        for start, row in zip(starts, weights, strict=True):
            total[start - first : start - first + tile] += row
        np.testing.assert_allclose(total, 1, rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(blends(), st.integers(0, 2**32 - 1))
def test_blending_the_tiles_of_an_image_gives_the_image(
    blend: tuple[Window, TileGrid], seed: int
) -> None:
    kind, grid = blend
    room = tuple(map(max, grid.shape, grid.tile))
    image = np.random.default_rng(seed).random(room, np.float32)
    blended = np.zeros(room, np.float32)
    weights = normalised(kind, grid)
    places = np.ndindex(*(len(starts) for starts in grid.starts))
    for region, place in zip(grid, places, strict=True):
        weight = reduce(np.multiply.outer, (w[i] for w, i in zip(weights, place, strict=True)))
        at = region.shift([max(t - n, 0) // 2 for t, n in zip(grid.tile, grid.shape, strict=True)])
        blended[at.slices] += weight * image[at.slices]
    tiles = math.prod(math.ceil(t / s) for t, s in zip(grid.tile, grid.step, strict=True))
    # each of the tiles over a pixel, and each of its two weights, is rounded once
    np.testing.assert_allclose(blended, image, rtol=0, atol=(tiles + 8) * 2**-24)


def test_weights_are_those_of_the_plain_weighted_mean() -> None:
    grid = TileGrid((9,), (4,), (2,))
    form = window("gaussian", 4)
    total = np.zeros(9)
    for start in (0, 2, 4, 5):
        total[start : start + 4] += form
    slow = [form / total[start : start + 4] for start in (0, 2, 4, 5)]
    np.testing.assert_allclose(normalised("gaussian", grid)[0], slow, rtol=1e-6)
