"""Volumes by their own range, against what the released pipeline computed on whole arrays."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.views.rescaled import Stretch
from lamina.errors import OptionError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Plane, Transposed, Volume, read_all

RNG = np.random.default_rng(3)


def volume(array: NDArray[Any]) -> Volume:
    return ArrayVolume(array[None], "zyx", "cube.npy")


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1"])
def test_bytes_are_those_of_the_released_pipeline(dtype: str) -> None:
    """FAULT-3: global min-max of the volume times 255, truncated to 8 bit."""
    array = RNG.normal(60, 30, (5, 6, 7)).clip(0, 255).astype(dtype)
    cut = (array - array.min()) / (array.max() - array.min()) * 255
    found = Stretch().of(volume(array))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(read_all(found)[0], cut.astype(np.uint8))
    assert (read_all(found).min(), read_all(found).max()) == (0, 255)


def test_bytes_by_hand() -> None:
    array = np.array([-2.0, -1.0, 0.0, 1.9, 2.0]).reshape(1, 1, 5)
    # 0, 63.75, 127.5, 248.6, 255: cut off, not rounded
    assert read_all(Stretch().of(volume(array))).ravel().tolist() == [0, 63, 127, 248, 255]


def test_a_slice_has_the_range_of_its_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    found = Stretch(to="unit").of(volume(array))
    assert found.ends == (0, 59)
    monkeypatch.delattr("lamina.data.views.rescaled.extremes")  # nothing is measured again
    turned = Transposed(pickle.loads(pickle.dumps(found)), (1, 0, 2), "zyx")
    plane = Plane(turned, "z", 2)
    np.testing.assert_allclose(read_all(plane)[0], array[:, 2] / 59, rtol=1e-6)


def test_percentiles_cut_bytes_and_not_units() -> None:
    array = RNG.normal(0, 1, (9, 10, 11)).astype(np.float32)
    low, high = np.percentile(array, (2, 98))
    ratio = (array - low) / (high - low)
    unit = Stretch(to="unit", low=2, high=98).of(volume(array))
    np.testing.assert_allclose(read_all(unit)[0], ratio, atol=1e-5)
    byte = read_all(Stretch(low=2, high=98).of(volume(array)))[0]
    assert np.abs(byte - (ratio * 255).clip(0, 255)).max() < 1.001


def test_half_floats_are_stretched_in_single_precision() -> None:
    array = np.array([0, 0.1, 60000], np.float16).reshape(1, 1, 3)
    found = read_all(Stretch(to="unit").of(volume(array))).ravel()
    np.testing.assert_allclose(found, array.astype(np.float32).ravel() / 59999.0, rtol=1e-3)


@pytest.mark.parametrize("to", ["byte", "unit"])
def test_fault_I10_a_constant_volume_becomes_zero(to: Any) -> None:
    found = Stretch(to=to).of(volume(np.full((2, 3, 4), 7.0)))
    assert not read_all(found).any()
    assert found.read(Region((0, 0, 0), (1, 2, 3))).shape == (1, 1, 2, 3)


def test_low_percentiles_are_below_high_ones() -> None:
    with pytest.raises(OptionError, match="not below"):
        Stretch(low=60, high=40)


def test_a_volume_may_take_the_range_of_another() -> None:
    """NOISE-6: shared, the map of the noisy volume is that of the clean one."""
    noisy, clean = RNG.normal(0, 2, (3, 4, 5)), RNG.normal(0, 1, (3, 4, 5))
    image = Stretch(to="unit").of(volume(noisy))
    target = replace(Stretch(to="unit").of(volume(clean)), like=image)
    low, high = noisy.min(), noisy.max()
    assert target.ends == image.ends == (low, high)
    np.testing.assert_allclose(
        read_all(target)[0], (clean - low) / (high - low), rtol=1e-6, atol=1e-7
    )
