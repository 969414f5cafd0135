"""Turns by nibabel's own answers, and grids that are laid on each other by hand."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from nibabel.orientations import io_orientation

from lamina.geometry.orientation import Turn, closest, fit
from lamina.seeding import rng


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(rng(seed, "rotation").normal(size=(3, 3)))
    return q


@pytest.mark.parametrize("seed", range(60))
def test_read_2_the_closest_axes_are_those_of_nibabel(seed: int) -> None:
    """READ-2: of rotations, mirrors and shears of any kind."""
    generator = rng(seed, "affine")
    affine = np.eye(4)
    affine[:3, :3] = rotation(seed) * generator.uniform(0.3, 5, 3)
    if seed % 3 == 0:
        affine[:3, :3] += generator.normal(0, 0.1, (3, 3))
    found = closest(affine[:3, :3])
    for axis, (world, sign) in enumerate(io_orientation(affine)):
        assert found.order[int(world)] == axis
        assert found.flipped[int(world)] == (sign < 0)


def test_turns_follow_one_another_as_arrays_do() -> None:
    array = np.arange(24).reshape(2, 3, 4)

    def turned(values: np.ndarray, turn: Turn) -> np.ndarray:
        steps = tuple(slice(None, None, -1 if flip else None) for flip in turn.flipped)
        return values.transpose(turn.order)[steps]

    first, second = Turn((2, 0, 1), (True, False, True)), Turn((1, 2, 0), (False, True, True))
    both = turned(turned(array, first), second)
    np.testing.assert_array_equal(turned(array, first.then(second)), both)


@pytest.mark.parametrize("seed", range(20))
def test_read_2_a_grid_that_is_turned_fits_and_says_how(seed: int) -> None:
    """READ-2: any of the 48 turns of an oblique grid is found back, with begin 0."""
    generator = rng(seed, "grid")
    image = np.eye(4)
    image[:3, :3] = rotation(seed) * generator.uniform(0.3, 5, 3)
    image[:3, 3] = generator.normal(0, 100, 3)
    volume = nibabel.Nifti1Image(np.zeros((5, 6, 7), np.uint8), image)
    axes = generator.permutation(3)
    codes = np.stack([axes, generator.choice([-1, 1], 3)], axis=1).astype(float)
    other = volume.as_reoriented(codes)
    found = fit(image[:3], other.affine[:3], other.shape)
    assert found is not None
    assert found.apart < 1e-9
    np.testing.assert_allclose(found.start, 0, atol=1e-9)
    assert tuple(other.shape[axis] for axis in found.turn.order) == (5, 6, 7)
    for axis, (place, sign) in enumerate(codes):
        assert found.turn.order[axis] == int(place)
        assert found.turn.flipped[axis] == (sign < 0)


def test_a_part_of_a_grid_begins_where_it_lies_and_a_rotated_grid_does_not_fit() -> None:
    image = np.column_stack([np.diag([2.0, 2, 3]), [10, 20, 30]])
    part = np.column_stack([np.diag([-2.0, 2, 3]), [10 + 2 * 8, 20, 33]])
    found = fit(image, part, (4, 6, 5))  # x from 8 down to 5
    assert found is not None
    assert found.start == (5, 0, 1)
    tilted = image.copy()
    tilted[:, :2] = image[:, :2] @ np.array([[0.8, -0.6], [0.6, 0.8]])
    turned = fit(image, tilted, (4, 6, 5))
    assert turned is None or turned.apart > 1
    wider = image.copy()
    wider[:, 0] *= 1.02
    stretched = fit(image, wider, (101, 6, 5))
    assert stretched is not None
    assert stretched.apart == pytest.approx(2)
