"""Several volumes as channels of one."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Joined, narrowed, read_all


def test_parts_are_channels_one_behind_the_other_in_a_type_that_holds_all() -> None:
    first = np.arange(24, dtype=np.int16).reshape(1, 2, 3, 4) - 5
    other = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4) / 3
    volume = Joined((ArrayVolume(first, "zyx", "a"), ArrayVolume(other, "zyx", "b")))
    assert (volume.channels, volume.dtype, volume.name) == (3, np.float32, "a and 1 more")
    np.testing.assert_array_equal(read_all(volume), np.concatenate([first, other]))
    box = Region((0, 1, 1), (2, 2, 4))
    np.testing.assert_array_equal(volume.read(box)[1:], other[(slice(None), *box.slices)])
    np.testing.assert_array_equal(read_all(narrowed(volume, 1, 1))[0], other[0])
    assert volume.stamp() is None


def test_parts_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="b: is yx"):
        Joined((ArrayVolume(np.zeros((1, 2, 3))), ArrayVolume(np.zeros((1, 3, 2)), name="b")))
