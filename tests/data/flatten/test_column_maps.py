"""Maps between the middles of tiles, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from lamina.data.flatten.column_maps import Maps
from lamina.geometry.region import Region


def made(ny: int = 4, nx: int = 5) -> Maps:
    rng = np.random.default_rng(1)
    rows = np.sort(rng.choice(np.arange(10, 90), ny, replace=False)) + 0.5
    columns = np.sort(rng.choice(np.arange(10, 110), nx, replace=False)) + 0.5
    shift = rng.normal(0, 5, (ny, nx)).astype(np.float32)
    return Maps(shift, rng.uniform(0.5, 1.5, (ny, nx)).astype(np.float32), rows, columns)


def test_maps_are_bilinear_between_middles_and_constant_beyond() -> None:
    """INK-2: upscaled bilinearly to the full size."""
    maps = made()
    shift, scale = maps.at(Region((0, 0), (100, 120)))
    y = np.arange(100).clip(maps.rows[0], maps.rows[-1])
    x = np.arange(120).clip(maps.columns[0], maps.columns[-1])
    for found, lattice in ((shift, maps.shift), (scale, maps.scale)):
        wanted = RegularGridInterpolator((maps.rows, maps.columns), lattice.astype(np.float64))
        assert np.abs(found - wanted(tuple(np.meshgrid(y, x, indexing="ij")))).max() < 1e-5
        assert found.dtype == np.float32


def test_a_region_has_its_part_of_the_whole_map() -> None:
    maps = made()
    whole = maps.at(Region((0, 0), (100, 120)))
    part = maps.at(Region((13, 57), (88, 91)))
    for one, all_of_it in zip(part, whole, strict=True):
        assert (one == all_of_it[13:88, 57:91]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_one_tile_along_an_axis_is_constant_along_it(shape: tuple[int, int]) -> None:
    maps = made(*shape)
    shift, _ = maps.at(Region((0, 0), (30, 40)))
    if shape[0] == 1:
        assert (shift == shift[:1]).all()
    if shape[1] == 1:
        assert (shift == shift[:, :1]).all()


def test_other_numbers_have_another_digest() -> None:
    one, other = made(), made()
    assert one.digest() == other.digest()
    other.shift[0, 0] += 1
    assert one.digest() != other.digest()
