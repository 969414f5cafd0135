"""CLAHE against a slow twin of the published steps, tile by tile and pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from lamina.data.transforms import Clahe, Patch
from lamina.errors import DataError


def patch(image: NDArray[Any]) -> Patch:
    area = np.ones((1, *image.shape[1:]), np.uint8)
    return Patch(image, area, area, 0, 255)


def picture(dtype: type[np.generic], channels: int = 1) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(channels, 32, 64)), 2)
    scaled = (smooth - smooth.min()) / np.ptp(smooth) * np.iinfo(dtype).max
    return scaled.astype(dtype)


def slow_clahe(plane: NDArray[Any], clip: float, grid: tuple[int, int]) -> NDArray[np.float64]:
    bins = np.iinfo(plane.dtype).max + 1
    height, width = (side // n for side, n in zip(plane.shape, grid, strict=True))
    limit = max(int(clip * height * width / bins), 1)
    curves = np.zeros((*grid, bins))
    for i in range(grid[0]):
        for j in range(grid[1]):
            tile = plane[i * height : (i + 1) * height, j * width : (j + 1) * width]
            bars = np.bincount(tile.ravel(), minlength=bins)
            over = int((bars - np.minimum(bars, limit)).sum())
            bars = np.minimum(bars, limit) + over // bins
            rest = over % bins
            if rest:
                bars[np.arange(0, bins, max(bins // rest, 1))[:rest]] += 1
            curves[i, j] = np.rint(bars.cumsum() * ((bins - 1) / (height * width)))
    out = np.zeros(plane.shape)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            down, right = y / height - 0.5, x / width - 0.5
            top, left = int(np.floor(down)), int(np.floor(right))
            for i, share in ((top, 1 - down + top), (top + 1, down - top)):
                for j, part in ((left, 1 - right + left), (left + 1, right - left)):
                    curve = curves[min(max(i, 0), grid[0] - 1), min(max(j, 0), grid[1] - 1)]
                    out[y, x] += share * part * curve[plane[y, x]]
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("clip", "grid"), [(4.0, (8, 8)), (2.5, (4, 2))])
def test_agrees_with_the_slow_twin(
    dtype: type[np.generic], clip: float, grid: tuple[int, int]
) -> None:
    old = patch(picture(dtype))
    found = Clahe(grid=grid).touch(old, clip).image
    assert found.dtype == dtype
    expected = slow_clahe(old.image[0], clip, grid)
    assert np.abs(found[0] - expected).max() <= 1
    assert np.abs(found[0] - old.image[0].astype(float)).max() > 10


def test_each_channel_is_equalised_on_its_own() -> None:
    both = picture(np.uint8, 2)
    found = Clahe().touch(patch(both), 4.0).image
    for channel in range(2):
        alone = Clahe().touch(patch(both[channel : channel + 1]), 4.0).image
        np.testing.assert_array_equal(found[channel], alone[0])


def test_a_flip_before_or_after_makes_hardly_a_difference() -> None:
    """STEEL-7 flips after the colour group; here the one warp comes first."""
    image = picture(np.uint8).repeat(8, 1).repeat(8, 2)
    before = Clahe().touch(patch(image[:, ::-1, ::-1]), 4.0).image
    after = Clahe().touch(patch(image), 4.0).image[:, ::-1, ::-1]
    changed = np.abs(after[:, ::-1, ::-1].astype(int) - image).mean()
    # OpenCV lays its tiles half a pixel off the middle
    assert np.abs(before.astype(int) - after).mean() < 0.1 * changed


def test_floats_are_refused_with_a_cure() -> None:
    with pytest.raises(DataError, match=r"clahe counts values of 8 or 16 bits.*float32; leave"):
        Clahe().touch(patch(np.zeros((1, 8, 8), np.float32)), 4.0)


def test_picks_and_refusals() -> None:
    rng = np.random.default_rng(0)
    picks = [Clahe(p=1, clip=(1, 4)).pick((8, 8), rng) for _ in range(200)]
    assert all(pick is not None and 1 <= pick <= 4 for pick in picks)
    assert Clahe(p=1).pick((8, 8), rng) == 4.0
    assert Clahe(p=0).pick((8, 8), rng) is None
    for wrong in ({"clip": (4.0, 1.0)}, {"clip": (0.0, 1.0)}, {"grid": (0, 8)}):
        with pytest.raises(ValidationError, match="must be"):
            Clahe.model_validate(wrong)
