"""Cleaning of fitted tiles (INK-5), by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import griddata
from scipy.ndimage import gaussian_filter

from lamina.data.flatten.outliers import cleaned, cleaned_by_neighbours, smoothed

Array = NDArray[np.float64]
ROWS, COLUMNS = np.arange(6) * 128.0 + 127.5, np.arange(8) * 128.0 + 127.5
ENDS = (0.05, 0.95)


def plane() -> Array:
    return np.asarray(4 + 0.5 * np.arange(6)[:, None] - 0.25 * np.arange(8)[None])


def twin(lattices: list[Array]) -> list[Array]:
    """INK-5 word for word, with scipy's griddata."""
    known = ~np.isnan(lattices[0])
    ends = [np.quantile(lattice[known], ENDS) for lattice in lattices]
    filled = [np.where(known, one, one[known].mean()) for one in lattices]

    def outside(some: list[Array]) -> NDArray[np.bool_]:
        return np.asarray(
            np.any(
                [(a < e[0] - 1e-9) | (a > e[1] + 1e-9) for a, e in zip(some, ends, strict=True)], 0
            )
        )

    bad = outside(filled)
    y, x = np.meshgrid(ROWS, COLUMNS, indexing="ij")
    found = []
    for one in filled:
        new = one.copy()
        places = (y[~bad], x[~bad])
        new[bad] = griddata(places, one[~bad], (y[bad], x[bad]), method="linear", fill_value=0)
        found.append(new)
    left = outside(found)
    return [np.where(left, one[~left].mean(), one) for one in found]


def test_outliers_are_interpolated_from_the_others() -> None:
    """INK-5: on a plane every triangle says the same."""
    lattice = plane()
    lattice[2, 3], lattice[4, 5] = 90, -90
    # ends of the plane lie outside the quantiles as well, so the inner part is looked at
    found = cleaned([lattice], ROWS, COLUMNS, (0.03, 0.97))[0]
    assert found[2, 3] == pytest.approx(plane()[2, 3])
    assert found[4, 5] == pytest.approx(plane()[4, 5])


def test_gaps_become_the_mean() -> None:
    """INK-5: nan becomes the mean of the valid ones."""
    lattice = plane()
    gaps = np.zeros(lattice.shape, np.bool_)
    gaps[1:3, 2:4] = True
    lattice[gaps] = np.nan
    found = cleaned([lattice], ROWS, COLUMNS, (0, 1))[0]
    assert found[gaps] == pytest.approx(np.full(4, plane()[~gaps].mean()))
    assert (found[~gaps] == plane()[~gaps]).all()


def test_what_no_triangle_reaches_becomes_nought_and_then_the_mean() -> None:
    """INK-5: 0 outside the hull; 0 is beyond the quantiles here, so the mean of the inside ones."""
    lattice = plane() + 10
    lattice[0, 0] = 500
    found = cleaned([lattice], ROWS, COLUMNS, (0, 0.97))[0]
    good = np.ones(lattice.shape, np.bool_)
    good[0, 0] = good[5, 0] = False  # the greatest of the plane is an outlier too
    assert found[0, 0] == pytest.approx(found[5, 0])
    assert found[0, 0] == pytest.approx((plane() + 10)[good].mean())


def test_nought_stays_where_it_is_no_outlier() -> None:
    """INK-5: shifts lie on both sides of 0, so that a corner outside the hull stays unshifted."""
    lattice = plane() - 4.5
    lattice[0, 0] = 500
    found = cleaned([lattice], ROWS, COLUMNS, (0, 0.97))[0]
    assert found[0, 0] == 0


@pytest.mark.parametrize("seed", range(4))
def test_scipy_says_the_same(seed: int) -> None:
    """INK-5: planes with outliers and gaps, two lattices whose outliers count for both."""
    rng = np.random.default_rng(seed)
    lattices = [plane(), 1 + 0.1 * plane()]
    for lattice in lattices:
        places = rng.integers(1, 5, (2, 2))
        lattice[places[:, 0], places[:, 1] + 1] += rng.choice([-60, 60], 2)
    gap = tuple(rng.integers(0, 6, 2))
    for lattice in lattices:
        lattice[gap] = np.nan
    for ours, theirs in zip(cleaned(lattices, ROWS, COLUMNS, ENDS), twin(lattices), strict=True):
        # a gap's mean is off the plane, and around it the triangles are anybody's choice
        near = np.abs(np.subtract(*np.broadcast_arrays(np.arange(6)[:, None], gap[0]))) <= 2
        near = near & (np.abs(np.arange(8)[None] - gap[1]) <= 2)
        assert np.abs(ours - theirs)[~near].max() < 1e-6


def test_few_tiles_or_one_value_do_no_harm() -> None:
    for shape in ((1, 1), (1, 4), (2, 2)):
        flat = np.full(shape, 1.0)
        found = cleaned([flat, flat], np.arange(shape[0]), np.arange(shape[1]), ENDS)
        assert (found[0] == 1).all()
    line = np.array([[1.0, 2, 3, 4, 50]])
    found = cleaned([line], np.array([0.0]), np.arange(5.0), ENDS)
    assert np.isfinite(found[0]).all()
    with pytest.raises(ValueError, match="no tile"):
        cleaned([np.full((2, 2), np.nan)], np.arange(2), np.arange(2), ENDS)


def test_tiles_that_leave_their_neighbours_are_interpolated() -> None:
    """The ends of a plane stay; a tile off it, and a gap, become what the plane is there."""
    lattice = plane()
    lattice[2, 3] += 8
    lattice[0, 0] -= 9
    lattice[4, 5] = np.nan
    scale = 1 + 0.01 * plane()
    scale[4, 5] = np.nan
    shift, scale = cleaned_by_neighbours([lattice, scale], ROWS, COLUMNS)
    wanted = plane()
    assert shift[0, 0] in (wanted[0, 1], wanted[1, 0])  # beyond the hull: the nearest
    shift[0, 0] = wanted[0, 0]
    assert np.abs(shift - wanted).max() < 1e-6
    assert np.abs(scale - (1 + 0.01 * wanted)).max() < 0.01


def test_a_group_of_tiles_on_another_sheet_is_found() -> None:
    """Two of them beside each other, at the rim."""
    lattice = plane()
    lattice[3, 7] += 30
    lattice[4, 7] += 30
    found = cleaned_by_neighbours([lattice], ROWS, COLUMNS)[0]
    assert np.abs(found - plane()).max() < 1.1


def test_few_tiles_have_neighbours_enough() -> None:
    for shape in ((1, 1), (1, 4), (2, 2)):
        flat = np.full(shape, 1.0)
        rows, columns = np.arange(float(shape[0])), np.arange(float(shape[1]))
        assert (cleaned_by_neighbours([flat], rows, columns)[0] == 1).all()
    gap = np.array([[np.nan, 2.0, np.nan]])
    found = cleaned_by_neighbours([gap], np.array([0.0]), np.arange(3.0))[0]
    assert found.tolist() == [[2, 2, 2]]
    with pytest.raises(ValueError, match="no tile"):
        cleaned_by_neighbours([np.full((2, 2), np.nan)], np.arange(2.0), np.arange(2.0))


def test_smoothing_is_scipys() -> None:
    """INK-5: none by default, a Gaussian on request."""
    lattice = np.random.default_rng(1).normal(0, 1, (9, 12))
    assert smoothed(lattice, 0) is lattice
    assert np.abs(smoothed(lattice, 1.3) - gaussian_filter(lattice, 1.3)).max() < 1e-6
