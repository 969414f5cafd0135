"""What every volume promises, whatever it is made of."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, Plane, Transposed, Volume, read_all

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")
picture = ArrayVolume(np.arange(60, dtype=np.float32).reshape(1, 6, 10), name="picture")


@pytest.mark.parametrize(
    "volume",
    [
        picture,
        cube,
        Crop(picture, Region((1, 2), (4, 9))),
        Crop(Crop(cube, Region((1, 0, 0), (3, 4, 5))), Region((0, 1, 1), (2, 3, 4))),
        Plane(cube, "z", 2),
        Plane(cube, "y", 0, context=2),
        Transposed(cube, (1, 0, 2), "zyx"),
        Plane(Transposed(cube, (2, 0, 1), "abc"), "b", 1),
    ],
    ids=lambda volume: volume.name,
)
def test_every_volume_keeps_the_promises(volume: Volume) -> None:
    assert isinstance(volume, Volume)
    assert len(volume.axes) == len(volume.shape)
    whole = read_all(volume)
    assert whole.shape == (volume.channels, *volume.shape)
    assert whole.dtype == volume.dtype

    part = Region(tuple(n // 3 for n in volume.shape), tuple(n - n // 4 for n in volume.shape))
    np.testing.assert_array_equal(volume.read(part), whole[(slice(None), *part.slices)])
    empty = Region(volume.shape, volume.shape)
    assert volume.read(empty).shape == (volume.channels, *empty.shape)

    before, beyond = (
        [-1, *[0] * (len(volume.shape) - 1)],
        [*volume.shape[:-1], volume.shape[-1] + 1],
    )
    for wrong in (
        Region(tuple(before), volume.shape),
        Region((0,) * len(volume.shape), tuple(beyond)),
        Region((0,), (1,)),
    ):
        with pytest.raises(ValueError, match="leaves the volume"):
            volume.read(wrong)

    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(volume))), whole)
