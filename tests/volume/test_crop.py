"""Boxes of volumes against plain numpy indexing."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, read_all

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")


def test_a_crop_is_the_box_counted_from_its_own_corner() -> None:
    crop = Crop(cube, Region((1, 0, 2), (3, 4, 4)))
    assert (crop.shape, crop.axes, crop.channels) == ((2, 4, 2), "zyx", 2)
    assert crop.name == "cube[1:3,0:4,2:4]"
    np.testing.assert_array_equal(read_all(crop), CUBE[:, 1:3, 0:4, 2:4])


def test_a_crop_that_leaves_its_source_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cube: .* leaves the volume"):
        Crop(cube, Region((0, 0, 0), (4, 4, 5)))
