"""Random fields and soft edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smooth_noise(
    shape: tuple[int, int], sigma: tuple[float, float], chance: np.random.Generator
) -> NDArray[np.float64]:
    """Return Gaussian noise smoothed by a Gaussian, brought to mean 0 and deviation 1.

    The far edges are neighbours, since the smoothing is a product of spectra.

    Args:
        shape: Rows and columns.
        sigma: Deviation of the Gaussian along rows and columns, in pixels.
        chance: Where the noise comes from.
    """
    rows = np.fft.fftfreq(shape[0])[:, None] * sigma[0]
    columns = np.fft.rfftfreq(shape[1]) * sigma[1]
    keep = np.exp(-2 * np.pi**2 * (rows**2 + columns**2))
    noise = np.fft.irfft2(np.fft.rfft2(chance.standard_normal(shape)) * keep, shape)
    noise -= noise.mean()
    return noise / max(float(noise.std()), 1e-12)


def fade(inside: NDArray[Any]) -> NDArray[np.float64]:
    """Return a soft step: 0 well outside, 1/2 at 0, 1 well inside (about 2 pixels away)."""
    step: NDArray[np.float64] = 1 / (1 + np.exp(-2.0 * np.clip(inside, -20, 20)))
    return step
