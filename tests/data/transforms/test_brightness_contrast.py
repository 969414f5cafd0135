"""The formula by hand."""

from __future__ import annotations

import numpy as np

from lamina.data.transforms import BrightnessContrast


def test_values_are_scaled_then_raised() -> None:
    values = np.array([0.0, 0.5, 1.0], np.float32)
    np.testing.assert_allclose(
        BrightnessContrast().map(values, (0.1, -0.2)), [0.1, 0.5, 0.9], atol=1e-6
    )


def test_picks_stay_in_their_limits() -> None:
    table, rng = BrightnessContrast(p=1, brightness=0.1, contrast=0.4), np.random.default_rng(0)
    picks = np.array([table.pick((8, 8), rng) for _ in range(1000)], float)
    np.testing.assert_allclose(picks.min(0), [-0.1, -0.4], atol=0.01)
    np.testing.assert_allclose(picks.max(0), [0.1, 0.4], atol=0.01)
    assert BrightnessContrast(p=0).pick((8, 8), rng) is None
