"""Arrays as pictures."""

from __future__ import annotations

import numpy as np

from lamina.pictures.pixels import painted, shrunk, shrunk_mask, stretched, visible


def test_bytes_stay_and_other_types_are_stretched() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    np.testing.assert_array_equal(visible(image)[:, :, 1], image[0])
    colours = np.stack([image[0], image[0] + 1, image[0] + 2])
    np.testing.assert_array_equal(visible(colours), colours.transpose(1, 2, 0))
    layers = np.stack([image[0] * 0, image[0], image[0] * 0, image[0] * 0])[:3]
    assert visible(np.concatenate([layers, layers])).shape == (3, 4, 3)
    wide = np.linspace(-1000, 1000, 12).reshape(1, 3, 4)
    assert visible(wide).min() == 0
    assert visible(wide).max() == 255
    assert stretched(np.ones((1, 2, 2)), 1, 1).max() == 0


def test_small_things_stay_visible_and_outlines_are_full() -> None:
    mask = np.zeros((100, 200), bool)
    mask[51, 101] = True
    assert shrunk_mask(mask, (10, 20)).sum() == 1
    picture = np.full((100, 200, 3), 80, np.uint8)
    assert shrunk(picture, 50).shape == (25, 50, 3)
    assert shrunk(picture, 500) is picture
    mask[20:40, 20:40] = True
    drawn = painted(picture, [mask], ["#ff0000"], fill=0.5)
    assert drawn[20, 30].tolist() == [255, 0, 0]
    assert drawn[30, 30].tolist() == [167, 40, 40]
    assert picture.max() == 80
