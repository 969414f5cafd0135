"""Gaussian noise by its moments."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.corruptions import Gaussian, Scene
from lamina.errors import OptionError
from lamina.seeding import rng

SCENE = Scene("yx", "x", 255.0, "a.png")


def test_noise_has_the_deviation_and_is_neither_clipped_nor_rounded() -> None:
    clean = np.zeros((1, 200, 200), np.float32)
    clean[:, :100] = 255
    noisy = Gaussian(sigma=25).spoil(clean, 25.0, SCENE, rng(0, "x"))
    assert noisy.dtype == np.float32
    assert (noisy - clean).mean() == pytest.approx(0, abs=0.5)
    assert (noisy - clean).std() == pytest.approx(25, rel=0.02)
    assert noisy.min() < -50
    assert noisy.max() > 305
    assert (noisy != np.rint(noisy)).mean() > 0.99
    assert not clean[:, 100:].any()


def test_a_range_gives_every_image_a_deviation_of_its_own() -> None:
    found = [Gaussian(sigma=(5, 50)).pick(rng(0, number)) for number in range(200)]
    assert min(found) >= 5
    assert max(found) <= 50
    assert np.mean(found) == pytest.approx(27.5, abs=3)
    assert Gaussian(sigma=15).pick(rng(0)) == 15


@pytest.mark.parametrize("sigma", [-1, (3, 2)])
def test_levels_below_zero_or_out_of_order_are_refused(sigma: float | tuple[float, float]) -> None:
    with pytest.raises(OptionError, match="or two in order"):
        Gaussian(sigma=sigma)
