"""Counted events by their mean and variance."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.corruptions import Poisson, Scene
from lamina.errors import DataError
from lamina.seeding import rng

SCENE = Scene("yx", "x", 255.0, "a.png")


@pytest.mark.parametrize(("full", "unit"), [(None, 255.0), (100.0, 100.0)])
def test_the_variance_grows_with_the_value(full: float | None, unit: float) -> None:
    """A count of mean m has the variance m: v full / peak in stored units."""
    for value in (0.0, 10.0, 80.0):
        clean = np.full((1, 200, 200), value, np.float32)
        noisy = Poisson(peak=30, full=full).spoil(clean, 30.0, SCENE, rng(0, "x"))
        assert noisy.dtype == np.float32
        assert noisy.mean() == pytest.approx(value, rel=0.02)
        assert noisy.var() == pytest.approx(value * unit / 30, rel=0.05)


def test_negative_values_are_no_counts() -> None:
    clean = np.full((1, 2, 2), -1, np.float32)
    with pytest.raises(DataError, match=r"a\.png: holds -1"):
        Poisson().spoil(clean, 30.0, SCENE, rng(0))
