"""Sharpening against scipy and the documented kernel."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import correlate

from lamina.data.transforms import Patch, Sharpen

IDENTITY = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])


def patch(dtype: type[np.generic], top: int = 255) -> Patch:
    image = np.random.default_rng(0).integers(0, top + 1, (2, 20, 30)).astype(dtype)
    area = np.ones((1, 20, 30), np.uint8)
    return Patch(image, area, area, 0, top)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 255)])
@pytest.mark.parametrize(("alpha", "lightness"), [(0.2, 0.5), (0.3, 1.0), (1.0, 1.0)])
def test_the_documented_blend_of_two_kernels(
    dtype: type[np.generic], top: int, alpha: float, lightness: float
) -> None:
    old = patch(dtype, top)
    found = Sharpen().touch(old, (alpha, lightness)).image
    assert found.dtype == dtype
    effect = np.array([[-1, -1, -1], [-1, 8 + lightness, -1], [-1, -1, -1]])
    kernel = (1 - alpha) * IDENTITY + alpha * effect
    for plane, out in zip(old.image, found, strict=True):
        expected = correlate(plane.astype(np.float64), kernel, mode="mirror")
        if dtype is not np.float32:
            expected = expected.clip(0, top)
        assert np.abs(out - expected).max() <= (0.01 if dtype is np.float32 else 1)


def test_an_even_picture_darkens_as_the_sum_of_the_kernel_says() -> None:
    area = np.ones((1, 4, 4), np.uint8)
    grey = Patch(np.full((1, 4, 4), 200, np.uint8), area, area, 0, 255)
    assert (Sharpen().touch(grey, (0.3, 0.5)).image == 200 * (1 - 0.3 + 0.3 * 0.5)).all()
    assert (Sharpen().touch(grey, (0.3, 1.0)).image == 200).all()


def test_picks_lie_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    sharpen = Sharpen(p=1, alpha=(0.2, 0.3), lightness=(0.5, 1))
    picks = [sharpen.pick((8, 8), rng) for _ in range(200)]
    assert all(p is not None and 0.2 <= p[0] <= 0.3 and 0.5 <= p[1] <= 1 for p in picks)
    assert Sharpen(p=0).pick((8, 8), rng) is None


@pytest.mark.parametrize("options", [{"alpha": (0.5, 0.2)}, {"alpha": (0.5, 1.2)}])
def test_impossible_options_are_refused(options: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError, match="must"):
        Sharpen.model_validate(options)
