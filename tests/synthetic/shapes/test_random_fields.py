"""Random fields have the smoothness that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lamina.seeding import rng
from lamina.synthetic.shapes.random_fields import fade, smooth_noise


def test_noise_has_mean_0_and_deviation_1() -> None:
    noise = smooth_noise((40, 60), (1.5, 4), rng(0, "test"))
    assert noise.shape == (40, 60)
    assert noise.mean() == pytest.approx(0, abs=1e-12)
    assert noise.std() == pytest.approx(1)


def test_smoothing_is_that_of_a_gaussian_filter() -> None:
    slow = ndimage.gaussian_filter(
        rng(0, "test").standard_normal((40, 60)), (1.5, 4), mode="wrap", truncate=8
    )
    slow = (slow - slow.mean()) / slow.std()
    np.testing.assert_allclose(smooth_noise((40, 60), (1.5, 4), rng(0, "test")), slow, atol=1e-4)


def test_a_line_of_noise_is_a_field_with_one_row() -> None:
    line = smooth_noise((1, 200), (1, 5), rng(0, "test"))
    assert line.shape == (1, 200)
    assert abs(np.diff(line)).max() < 1


def test_a_soft_step_rises_from_0_to_1_through_a_half() -> None:
    assert fade(np.array([-1e9, 0.0, 1e9])) == pytest.approx([0, 0.5, 1])
    assert (np.diff(fade(np.linspace(-3, 3, 20))) > 0).all()
