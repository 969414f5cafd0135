"""Arrays in memory."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")


def test_an_array_without_a_channel_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a channel axis before 'yx'"):
        ArrayVolume(np.zeros((4, 5)))


def test_reading_an_array_copies_nothing() -> None:
    assert np.shares_memory(cube.read(Region((0, 0, 0), (1, 2, 3))), CUBE)
