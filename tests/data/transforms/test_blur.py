"""Blurring against scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, uniform_filter

from lamina.data.transforms import Blur, Patch
from lamina.errors import OptionError


def patch(dtype: type[np.generic]) -> Patch:
    image = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(dtype)
    area = np.ones((1, 20, 30), np.uint8)
    return Patch(image, area, area, 0, 255)


def gaussian(image: NDArray[Any], side: int) -> NDArray[np.float64]:
    sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8
    weights = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    out = image.astype(np.float64)
    for axis in (1, 2):
        out = correlate1d(out, weights / weights.sum(), axis, mode="mirror")
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("side", [3, 5, 7])
def test_a_gaussian_of_the_documented_width(dtype: type[np.generic], side: int) -> None:
    old = patch(dtype)
    found = Blur().touch(old, side).image
    assert found.dtype == dtype
    tolerance = {np.uint8: 1.5, np.uint16: 1.0, np.float32: 0.01}[
        dtype
    ]  # 8-bit weights are rounded
    assert np.abs(found - gaussian(old.image, side)).max() <= tolerance


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_plain_mean(dtype: type[np.generic]) -> None:
    old = patch(dtype)
    found = Blur(how="box").touch(old, 5).image
    expected = uniform_filter(old.image.astype(np.float64), (0, 5, 5), mode="mirror")
    assert np.abs(found - expected).max() <= 0.51


def test_an_image_seen_through_a_flip_can_be_blurred() -> None:
    old = patch(np.uint8)
    turned = Patch(old.image[:, ::-1].swapaxes(1, 2), old.target, old.valid, 0, 255)
    expected = Blur().touch(old, 3).image[:, ::-1].swapaxes(1, 2)
    np.testing.assert_array_equal(Blur().touch(turned, 3).image, expected)


def test_sides_are_odd_from_three_to_the_kernel() -> None:
    rng = np.random.default_rng(0)
    assert {Blur(p=1, kernel=7).pick((8, 8), rng) for _ in range(99)} == {3, 5, 7}
    assert Blur(p=0).pick((8, 8), rng) is None
    with pytest.raises(OptionError, match="must be odd, such as 5"):
        Blur(kernel=4)
