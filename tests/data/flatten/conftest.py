"""Sheets that wander through a stack, with the truth about them."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.flatten import Flatten, Stack
from lamina.volume import ArrayVolume

DEPTH, HEIGHT, WIDTH = 65, 192, 240
HOW = Flatten(tile=16, step=8, slices=(12, 53))


def papyrus(z: Any) -> Any:
    """Value of the sheet at its own depth ``z``, 32 in its middle."""
    return 20000 + 20000 * np.exp(-(((z - 32) / 6) ** 2)) + 5000 * np.exp(-(((z - 24) / 2) ** 2))


@cache
def sheet(
    amplitude: float, thickness: float = 1.0, noise: float = 200.0, seed: int = 1
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return (65, 192, 240) layers, and by how many each column lies too deep (192, 240)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = amplitude * np.sin(x / 90 + seed) * np.cos(y / 80)
    z = np.arange(DEPTH)[:, None, None]
    clean = papyrus((z - depth - 32) / thickness + 32)
    noisy = clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
    return noisy.round().astype(np.uint16), depth


def stack_of(layers: NDArray[Any], name: str, mask: NDArray[Any] | None = None) -> Stack:
    """Return a fragment in memory."""
    return Stack(
        name,
        ArrayVolume(layers[None], "zyx", name),
        None if mask is None else ArrayVolume(mask[None]),
    )


@pytest.fixture
def sheets() -> SimpleNamespace:
    """What the tests of this folder share."""
    return SimpleNamespace(how=HOW, papyrus=papyrus, sheet=sheet, stack_of=stack_of, depth=DEPTH)
