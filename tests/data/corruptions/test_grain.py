"""Grain by its moments: deviation, and how neighbours hang together."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.corruptions import Grain, Scene
from lamina.data.corruptions.grain import Picked
from lamina.errors import OptionError
from lamina.seeding import rng

SCENE = Scene("yx", "x", 255.0, "a.png")


@pytest.mark.parametrize("width", [0.0, 0.7, 1.5])
def test_noise_has_the_deviation_whatever_its_width(width: float) -> None:
    clean = np.full((1, 300, 300), 100, np.float32)
    noise = Grain().spoil(clean, Picked(12.0, width), SCENE, rng(0, "x")) - clean
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.5)
    assert noise.std() == pytest.approx(12, rel=0.03)


@pytest.mark.parametrize("lag", [1, 2])
def test_neighbours_hang_together_as_a_blur_makes_them(lag: int) -> None:
    """White noise blurred by a Gaussian of width w has the correlation exp(-lag^2 / 4 w^2)."""
    clean = np.zeros((1, 500, 500), np.float32)
    noise = Grain().spoil(clean, Picked(1.0, 1.5), SCENE, rng(0, "x"))[0]
    for field in (noise, noise.T):
        found = np.corrcoef(field[:-lag].ravel(), field[lag:].ravel())[0, 1]
        assert found == pytest.approx(np.exp(-(lag**2) / (4 * 1.5**2)), abs=0.03)


def test_small_and_deep_regions_have_the_deviation_too() -> None:
    many = [
        Grain().spoil(np.zeros((1, 4, 5, 6), np.float32), Picked(3.0, 2.0), SCENE, rng(0, number))
        for number in range(200)
    ]
    assert np.stack(many).std() == pytest.approx(3, rel=0.1)


def test_every_image_has_a_deviation_and_a_width_of_its_own() -> None:
    drawn = [Grain(sigma=(5, 20), width=(0.5, 1)).pick(rng(0, number)) for number in range(100)]
    assert np.mean([one.sigma for one in drawn]) == pytest.approx(12.5, abs=1.5)
    assert np.mean([one.width for one in drawn]) == pytest.approx(0.75, abs=0.05)
    with pytest.raises(OptionError, match="or two in order"):
        Grain(width=-1)
