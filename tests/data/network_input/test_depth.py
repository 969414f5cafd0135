"""Depth: which layers are looked at, and how they are resized."""

from __future__ import annotations

import math
from collections import Counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from lamina.data.network_input.depth import Depth
from lamina.data.network_input.frame import Frame, Slices
from lamina.data.network_input.normalise import DatasetStats, Fixed
from lamina.data.views.layers import Layers
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, read_all

ONE = Fixed(scale=1.0)


def volume(layers: int, dtype: type[np.generic] = np.uint16) -> Layers:
    array = np.arange(layers)[None, :, None, None] * np.ones((1, 1, 6, 5))
    return Layers(ArrayVolume(array.astype(dtype), "zyx"), 0, layers)


def test_a_sample_shows_13_to_23_layers_from_anywhere() -> None:
    """INK-13."""
    depth, rng, stack = Depth(see=18, factor=1.33), np.random.default_rng(0), volume(24)
    counts: Counter[int] = Counter()
    starts = set()
    for _ in range(3000):
        some = depth.drawn(stack, rng)
        assert isinstance(some, Layers)
        counts[some.count] += 1
        starts.add((some.first, some.count))
    assert sorted(counts) == list(range(13, 24))
    # trunc(18 q) with q uniform from 1/1.33 to 1.33: 14 to 22 each have 1/18 of that range.
    each = 3000 / 18 / (1.33 - 1 / 1.33)
    assert all(abs(counts[n] - each) < 5 * math.sqrt(each) for n in range(14, 23))
    assert starts == {(first, n) for n in counts for first in range(24 - n + 1)}


def test_prediction_sees_the_middle_24_layers_as_18() -> None:
    """INK-15."""
    depth = Depth(see=18, factor=1.33)
    assert depth.most == math.ceil(18 * 1.33) == 24
    some = depth.middle(volume(30))
    assert isinstance(some, Layers)
    assert (some.first, some.count) == (3, 24)
    assert depth.middle(volume(20)).channels == 20
    frame = Frame(size=(6, 5), channels=24, depth=depth, normalise=ONE)
    found = frame.look(volume(24), Region((0, 0), (6, 5)), frame.factors(volume(24), ONE))
    assert found.shape == (18, 6, 5)
    assert frame.inputs == 18
    # Each layer has a thickness of its own: the middle of layer i is at (i + 1/2) 24 / 18 - 1/2.
    expected = np.rint((np.arange(18) + 0.5) * 24 / 18 - 0.5)
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 13, 17, 18, 23, 40])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_layers_are_resized_as_opencv_resizes_rows(count: int, dtype: type[np.generic]) -> None:
    pixels: NDArray[np.generic] = (
        np.random.default_rng(0).integers(0, 255, (count, 4, 5)).astype(dtype)
    )
    found = Depth(see=18).resized(pixels)
    flat = pixels.reshape(count, 20).astype(np.float64)
    expected = cv2.resize(flat, (20, 18), interpolation=cv2.INTER_LINEAR).reshape(18, 4, 5)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-3 if dtype == np.float32 else 0.501)


def test_a_factor_of_one_takes_as_many_layers_as_are_seen_and_changes_none() -> None:
    depth, rng = Depth(see=18, factor=1.0), np.random.default_rng(0)
    starts = set()
    for _ in range(200):
        some = depth.drawn(volume(24), rng)
        pixels = read_all(some)
        assert depth.resized(pixels) is pixels
        starts.add(int(pixels[0, 0, 0]))
    assert starts == set(range(7))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"channels": 20}, "looks at up to 24 layers"),
        ({"channels": 24, "slices": Slices()}, "leave one out"),
        ({"channels": 24, "normalise": DatasetStats()}, "pooled: true"),
    ],
)
def test_a_frame_that_cannot_be_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Frame.model_validate({"normalise": ONE, "depth": {}, **options})


def test_another_number_of_layers_is_refused_with_its_remedy() -> None:
    frame = Frame(channels=24, depth=Depth(), normalise=ONE)
    with pytest.raises(DataError, match="has 30 layers, and frame"):
        frame.read(volume(30), Region((0, 0), (6, 5)))
