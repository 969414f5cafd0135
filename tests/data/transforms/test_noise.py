"""Noise has the picked deviation, is normal, and integers stay in their range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from lamina.data.transforms import Noise, Patch
from lamina.errors import OptionError


def patch(image: np.ndarray[Any, Any], low: float = 0.0, high: float = 255.0) -> Patch:
    area = np.ones((1, *image.shape[1:]), np.uint8)
    return Patch(image, area, area, low, high)


def test_the_noise_is_normal_with_the_picked_deviation() -> None:
    image = np.full((2, 100, 100), 50, np.float32)
    noise = Noise().touch(patch(image, 0, 10), (0.2, 7)).image - 50
    assert noise.dtype == np.float32
    assert kstest(noise.ravel() / 2.0, "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.04


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_integers_are_rounded_and_never_wrap_around(dtype: type[np.generic], top: int) -> None:
    image = np.array([[[0, top]]], dtype).repeat(2000, 1)
    noisy = Noise().touch(patch(image, 0, top), (0.05, 3)).image
    assert noisy.dtype == dtype
    assert noisy[0, :, 0].max() < top // 2 < noisy[0, :, 1].min()
    assert (noisy[0, :, 0] == 0).mean() == pytest.approx(0.5, abs=0.1)


def test_equal_seeds_give_equal_noise_and_the_old_patch_is_untouched() -> None:
    old = patch(np.full((1, 8, 8), 100, np.uint8))
    one, two, other = (Noise().touch(old, (0.1, seed)).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert (old.image == 100).all()


def test_picks_and_refusals() -> None:
    rng = np.random.default_rng(0)
    picks = [Noise(p=1, low=0.1, high=0.2).pick((8, 8), rng) for _ in range(200)]
    assert all(pick is not None and 0.1 <= pick[0] <= 0.2 for pick in picks)
    assert Noise(p=0).pick((8, 8), rng) is None
    with pytest.raises(OptionError, match="above high"):
        Noise(low=0.2, high=0.1)
