"""Placements that are turned and cropped lie where their voxels do."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.geometry.orientation import Turn
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.volume import NOWHERE, ArrayVolume, Crop, Placement, Transposed, placement_of

BODY = Placement(
    axes="xyz",
    spacing=(2.0, 3.0, 4.0),
    units=("mm",) * 3,
    origin=(-10.0, 20.0, 5.0),
    directions=((-1.0, 0.0, 0.0), (0.0, 0.6, 0.8), (0.0, -0.8, 0.6)),
    world="body",
)


class Cube(ArrayVolume):
    placement = BODY


def places(placement: Placement, shape: tuple[int, ...]) -> np.ndarray:
    """Where each voxel lies, (3, *shape)."""
    grid = placement.grid
    assert grid is not None
    index = np.indices(shape).reshape(3, -1)
    return np.asarray((grid[:, :3] @ index + grid[:, 3:]).reshape(3, *shape))


@pytest.mark.parametrize("seed", range(8))
def test_read_2_voxels_keep_their_place_whatever_is_done_to_the_array(seed: int) -> None:
    """READ-2: a view of the voxels' own coordinates agrees with the placement of the view."""
    generator = rng(seed, "turn")
    shape = (4, 5, 6)
    source = Cube(places(BODY, shape), "xyz")
    order = tuple(int(axis) for axis in generator.permutation(3))
    flipped = tuple(bool(flip) for flip in generator.integers(0, 2, 3))
    view = Transposed(source, order, "abc", flipped)
    region = Region.whole(view.shape)
    np.testing.assert_allclose(view.read(region), places(view.placement, view.shape))
    box = Region((1, 0, 2), view.shape)
    part = Crop(view, box)
    np.testing.assert_allclose(view.read(box), places(part.placement, part.shape))


def test_letters_say_where_axes_lead() -> None:
    assert BODY.letters == "LSP"  # the second axis leads up more than to the front
    assert BODY.turned(Turn((0, 1, 2), (True, False, False)), (4, 5, 6)).letters == "RSP"
    assert NOWHERE.letters is None


def test_nothing_is_known_of_arrays_and_what_is_resized() -> None:
    held = ArrayVolume(np.zeros((1, 4, 5)))
    assert placement_of(held) is NOWHERE
    assert Crop(held, Region((1, 1), (3, 3))).placement == NOWHERE
