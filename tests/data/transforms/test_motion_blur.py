"""Blurring along a line against means that can be counted."""

from __future__ import annotations

import math
from collections import Counter

import cv2
import numpy as np
import pytest

from lamina.data.transforms import MotionBlur, Patch
from lamina.data.transforms.motion_blur import line
from lamina.errors import OptionError


def patch(dtype: type[np.generic], channels: int = 3) -> Patch:
    image = np.random.default_rng(0).integers(0, 255, (channels, 20, 30)).astype(dtype)
    area = np.ones((1, 20, 30), np.uint8)
    return Patch(image, area, area, 0, 255)


@pytest.mark.parametrize("length", [3, 5, 7])
def test_along_an_axis_it_is_the_mean_of_a_row_or_a_column(length: int) -> None:
    middle = length // 2
    row = np.zeros((length, length))
    row[middle] = 1 / length
    np.testing.assert_allclose(line(length, 0.0), row, atol=0.05 / length)
    np.testing.assert_allclose(line(length, math.pi / 2), row.T, atol=0.05 / length)


@pytest.mark.parametrize("angle", [0.3, 0.8, 1.4, 2.5])
def test_weights_sum_to_one_lie_along_the_line_and_balance_about_the_middle(angle: float) -> None:
    weights = line(9, angle)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-6)
    rows, columns = np.mgrid[4:-5:-1, -4:5]
    beside = np.abs(rows * math.cos(angle) - columns * math.sin(angle))
    assert (weights[beside > 1.42] == 0).all()  # no pixel further than its own diagonal
    spread = (weights * (rows**2 + columns**2)).sum()
    assert spread == pytest.approx(np.mean(np.linspace(-4, 4, 9) ** 2), rel=0.15)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_channel_is_blurred_alike_and_the_target_stays(dtype: type[np.generic]) -> None:
    old = patch(dtype, 18)
    found = MotionBlur().touch(old, (5, 0.0))
    assert found.image.dtype == dtype
    assert found.target is old.target
    padded = np.pad(old.image.astype(float), ((0, 0), (0, 0), (2, 2)), mode="reflect")
    mean = sum(padded[:, :, k : k + 30] for k in range(5)) / 5
    assert np.abs(found.image - mean).max() < 4  # the outermost halves of the line are its ends
    one = cv2.filter2D(np.ascontiguousarray(old.image[7]), -1, line(5, 0.0))
    np.testing.assert_array_equal(found.image[7], one)


def test_lengths_are_odd_and_directions_anywhere() -> None:
    rng = np.random.default_rng(0)
    picked = [one for _ in range(600) if (one := MotionBlur(p=0.5).pick((8, 8), rng)) is not None]
    assert 240 < len(picked) < 360
    assert set(Counter(length for length, _ in picked)) == {3, 5, 7}
    angles = np.array([angle for _, angle in picked])
    assert angles.min() < 0.1 < 3.0 < angles.max() < math.pi
    with pytest.raises(OptionError, match="must be odd, such as 5"):
        MotionBlur(kernel=4)
