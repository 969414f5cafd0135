"""Tables against the plain formula in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.network_input.value_tables import changed, limits, normalised
from lamina.data.transforms import BrightnessContrast, Gamma, Table

PICKED: list[tuple[Table, Any]] = [
    (BrightnessContrast(), (0.1, -0.2)),
    (Gamma(), 1.3),
    (BrightnessContrast(), (0.3, 0.1)),
]
SHIFT, FACTOR = np.array([30, 40], np.float32), np.array([0.02, 0.5], np.float32)


def slow(image: NDArray[Any], low: float, high: float, *, clip: bool) -> NDArray[np.float64]:
    x = (image.astype(np.float64) - low) / (high - low)
    steps: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
        lambda x: 0.8 * x + 0.1,
        lambda x: np.asarray(np.maximum(x, 0) ** 1.3),
        lambda x: 1.1 * x + 0.3,
    ]
    for step in steps:
        x = np.clip(step(x), 0, 1) if clip else step(x)
    out: NDArray[np.float64] = x * (high - low) + low
    return out


def image(dtype: type[np.generic]) -> NDArray[Any]:
    top = 65535 if dtype == np.uint16 else 255
    return np.random.default_rng(0).integers(0, top + 1, (2, 20, 30)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_rounded_to_the_formula(dtype: type[np.generic]) -> None:
    stored = image(dtype)
    top = limits(stored)[1]
    found = changed(stored, PICKED)
    assert found.dtype == dtype
    assert np.abs(found - slow(stored, 0, top, clip=True)).max() <= 0.5 + 1e-4 * top


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_other_types_use_the_range_of_the_patch_and_do_not_saturate(
    dtype: type[np.generic],
) -> None:
    stored = image(dtype) - np.array(100, dtype)
    low, high = limits(stored)
    assert (low, high) == (stored.min(), stored.max())
    np.testing.assert_allclose(
        changed(stored, PICKED), slow(stored, low, high, clip=False), rtol=1e-4, atol=1e-2
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tables_and_normalisation_together_equal_one_after_the_other(
    dtype: type[np.generic],
) -> None:
    stored = image(dtype)
    low, high = limits(stored)
    values = slow(stored, low, high, clip=dtype != np.float32)
    expected = (values - SHIFT[:, None, None]) * FACTOR[:, None, None]
    found = normalised(stored, SHIFT, FACTOR, PICKED)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3 * float(expected.std()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
def test_nothing_picked_changes_nothing(dtype: type[np.generic]) -> None:
    stored = image(dtype)
    assert changed(stored, []) is stored
    expected = (stored - SHIFT[:, None, None]) * FACTOR[:, None, None]
    np.testing.assert_allclose(normalised(stored, SHIFT, FACTOR), expected, rtol=1e-5, atol=1e-4)


def test_an_image_seen_through_a_flip_is_looked_up_too() -> None:
    stored = image(np.uint8)[:, ::-1, ::-1].swapaxes(1, 2)
    one, two = np.zeros(2, np.float32), np.full(2, 2, np.float32)
    np.testing.assert_array_equal(normalised(stored, one, two), stored * np.float32(2))


def test_a_constant_patch_of_floats_is_left_alone() -> None:
    stored = np.full((1, 3, 3), 5, np.float32)
    np.testing.assert_array_equal(changed(stored, PICKED), stored)
