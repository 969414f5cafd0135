"""A stack seen aligned: what is read of it, and that parts are parts of the whole."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.flatten import Flattened, Maps, align, flattened
from lamina.data.views.layers import Layers
from lamina.errors import DataError
from lamina.geometry.depth.shift import move_layers
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, read_all


@dataclass(frozen=True)
class Watched(ArrayVolume):
    """An array that remembers what was read of it."""

    seen: list[Region] = field(default_factory=list)

    def read(self, region: Region) -> NDArray[Any]:
        self.seen.append(region)
        return super().read(region)


def made(shape: tuple[int, int, int] = (65, 40, 60)) -> tuple[Watched, Maps]:
    rng = np.random.default_rng(1)
    layers = rng.integers(0, 65535, shape).astype(np.uint16)
    middles = np.array([5.5, 20.5, 33.5]), np.array([9.5, 30.5, 50.5])
    shift = rng.normal(2, 3, (3, 3)).astype(np.float32)
    scale = rng.uniform(0.7, 1.2, (3, 3)).astype(np.float32)
    return Watched(layers[None], "zyx"), Maps(shift, scale, *middles)


def test_only_needed_layers_are_read() -> None:
    """INK-8: those of the formula, clipped to the stack, and of the region alone."""
    source, maps = made()
    volume = Flattened(source, [maps])
    region = Region((20, 3, 7), (44, 30, 31))
    found = volume.read(region)
    shift, scale = maps.at(Region((3, 7), (30, 31)))
    first = int(np.floor(((20 - shift) / scale).min() - 2))
    stop = int(np.ceil(((44 - shift) / scale).max() + 2))
    assert source.seen == [Region((max(first, 0), 3, 7), (min(stop, 65), 30, 31))]
    assert source.seen[0].shape[0] < 65
    whole = move_layers(source.array[0], *maps.at(Region((0, 0), (40, 60))), 0, 65)
    assert (found[0] == whole[20:44, 3:30, 7:31]).all()


def test_regions_at_the_border_are_parts_of_the_whole() -> None:
    """INK-10: a pixel follows its own map whoever asks, so that borders need no padding."""
    source, maps = made()
    volume = Flattened(source, [maps])
    whole = read_all(volume)
    for region in (
        Region((0, 0, 0), (65, 11, 13)),
        Region((30, 35, 50), (31, 40, 60)),
        Region((64, 0, 59), (65, 40, 60)),
        Region((10, 4, 4), (10, 8, 8)),
    ):
        assert (volume.read(region) == whole[(slice(None), *region.slices)]).all()
    with pytest.raises(ValueError, match="leaves"):
        volume.read(Region((0, 0, 0), (66, 4, 4)))


def test_it_is_a_volume_like_its_source() -> None:
    source, maps = made()
    volume = Flattened(source, [maps])
    assert (volume.axes, volume.shape, volume.channels) == ("zyx", (65, 40, 60), 1)
    assert (volume.dtype, volume.name) == (np.uint16, source.name)
    layers = Layers(volume, 20, 24)
    assert layers.channels == 24
    assert (read_all(layers) == read_all(volume)[0, 20:44]).all()
    again = pickle.loads(pickle.dumps(volume))
    assert (read_all(again) == read_all(volume)).all()
    with pytest.raises(DataError, match="one channel"):
        Flattened(ArrayVolume(np.zeros((1, 4, 4))))
    with pytest.raises(ValueError, match="neither maps"):
        read_all(Flattened(source))


def test_far_shifts_read_nothing_and_give_nought() -> None:
    """INK-8: 0 outside."""
    source, maps = made()
    far = Maps(maps.shift + 500, maps.scale, maps.rows, maps.columns)
    assert not read_all(Flattened(source, [far])).any()


def test_maps_are_fitted_when_they_are_first_asked_for(sheets: SimpleNamespace) -> None:
    one, other = (sheets.stack_of(sheets.sheet(*args)[0], name) for args, name in TWO)
    volume = flattened(other, sheets.how, one)
    assert not volume.fitted_maps
    part = volume.read(Region((20, 0, 0), (24, 50, 50)))
    wanted = sheets.how.resolved([one]).maps(other)
    assert volume.maps.digest() == wanted.digest()
    assert (part == Flattened(other.volume, [wanted]).read(Region((20, 0, 0), (24, 50, 50)))).all()


def test_cases_are_aligned_before_training(sheets: SimpleNamespace, tmp_path: Path) -> None:
    """What is behind layers and crops is found, each fragment is fitted once."""
    one, other = (sheets.stack_of(sheets.sheet(*args)[0], name) for args, name in TWO)
    first, second = (flattened(stack, sheets.how, one) for stack in (one, other))
    box = Region((0, 0), (100, 100))
    cases = [
        Case("1", "1", Layers(first, 20, 24)),
        Case("2a", "2a", Crop(Layers(second, 20, 24), box)),
        Case("2b", "2b", Crop(Layers(second, 20, 24), box)),
        Case("x", "x", ArrayVolume(np.zeros((1, 4, 4)))),
    ]
    how = align(cases, tmp_path)
    assert how == sheets.how.resolved([one])
    assert how is not None
    assert how.reference == "1"
    assert first.fitted_maps
    assert len(second.fitted_maps) == 1
    assert align(cases[3:], tmp_path) is None


TWO = (((1.0,), "1"), ((2.0, 1.2, 200.0, 2), "2"))
