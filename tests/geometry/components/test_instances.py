"""Objects of masks, beside scikit-image and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk
from skimage.measure import label

from lamina.geometry.components.instances import label_instances


@pytest.mark.parametrize(("connectivity", "level"), [(8, 2), (4, 1)])
def test_components_are_numbered_in_raster_order_as_scikit_image_does(
    connectivity: int, level: int
) -> None:
    mask = np.random.default_rng(3).random((40, 50)) < 0.4
    found = label_instances(mask, connectivity=connectivity)  # type: ignore[arg-type]
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, label(mask, connectivity=level))


def test_components_of_volumes_and_the_smallest_that_stays() -> None:
    mask = np.random.default_rng(4).random((9, 10, 11)) < 0.08
    wanted = label(mask, connectivity=3)
    sizes = np.bincount(wanted.ravel())
    found = label_instances(mask, minimum=3)
    np.testing.assert_array_equal(found > 0, (wanted > 0) & (sizes[wanted] >= 3))
    assert sorted(np.unique(found)) == list(range(int(found.max()) + 1))


def test_touching_discs_are_parted_and_cover_the_mask() -> None:
    mask = np.zeros((60, 100), bool)
    for centre in ((30, 28), (30, 60)):
        mask[disk(centre, 18)] = True
    assert label_instances(mask).max() == 1
    found = label_instances(mask, split="distance")
    assert found.max() == 2
    np.testing.assert_array_equal(found > 0, mask)
    assert found[30, 28] != found[30, 60]
    left, right = np.bincount(found.ravel())[1:]
    assert abs(int(left) - int(right)) < 0.1 * mask.sum()


def test_parting_keeps_separate_and_single_pixels() -> None:
    mask = np.zeros((12, 12), bool)
    mask[0, 0] = mask[11, 11] = mask[4:8, 4:8] = True
    found = label_instances(mask, split="distance")
    np.testing.assert_array_equal(found > 0, mask)
    assert found.max() == 3
    assert label_instances(np.zeros((5, 5), bool), split="distance").max() == 0


def test_volumes_are_not_parted() -> None:
    with pytest.raises(ValueError, match="two axes"):
        label_instances(np.zeros((3, 3, 3), bool), split="distance")
