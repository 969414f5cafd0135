"""Views: what they take from their source, and that a new one is a class and nothing else."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

import lamina
from lamina.data.case import Case
from lamina.data.corruptions import Gaussian
from lamina.data.prepare.unpack import UnpackedVolume, unpacked
from lamina.data.prepare.value_ranges import measure
from lamina.data.readers import open_volume
from lamina.data.views.corrupted import Corrupted
from lamina.data.views.layers import Layers
from lamina.data.views.rescaled import Stretch
from lamina.geometry.region import Region
from lamina.volume import (
    ArrayVolume,
    Channels,
    Crop,
    Plane,
    Transposed,
    Volume,
    VolumeView,
    check_within,
    chunk_shape_of,
    narrowed,
    read_all,
    unselected,
    values_stamp,
    view_chain,
    without_view,
)

CUBE = np.random.default_rng(0).integers(0, 255, (3, 6, 7, 8)).astype(np.uint8)
cube = ArrayVolume(CUBE, "zyx", "cube")


@dataclass(frozen=True)
class Inverted(VolumeView):
    """A new view of values: 255 - x."""

    def read(self, region: Region) -> NDArray[Any]:
        return 255 - self.source.read(region)


@dataclass(frozen=True)
class Mirrored(VolumeView):
    """A new view of places: the last axis from its end."""

    selects = True

    def read(self, region: Region) -> NDArray[Any]:
        check_within(self, region)
        length = self.shape[-1]
        start, stop = length - region.stop[-1], length - region.start[-1]
        there = Region((*region.start[:-1], start), (*region.stop[:-1], stop))
        return self.source.read(there)[..., ::-1]


@pytest.fixture
def stored(tmp_path: Path) -> Volume:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(6, 7, 8), dtype="u1", chunks=(2, 3, 4))[...] = CUBE[0]
    return open_volume(path)


@pytest.mark.parametrize("kind", [Inverted, Mirrored])
def test_what_a_view_does_not_say_is_as_in_its_source(kind: type[VolumeView]) -> None:
    view = kind(cube)
    assert isinstance(view, Volume)
    for name in ("name", "axes", "shape", "channels", "dtype"):
        assert getattr(view, name) == getattr(cube, name)
    np.testing.assert_array_equal(
        read_all(view), 255 - CUBE if kind is Inverted else CUBE[..., ::-1]
    )
    assert pickle.loads(pickle.dumps(view)).source.shape == cube.shape
    assert view.stamp() is None
    with pytest.raises(TypeError, match="abstract"):
        VolumeView(cube)  # type: ignore[abstract]


def test_chunks_are_those_of_the_source_where_places_stay(stored: Volume) -> None:
    assert chunk_shape_of(Inverted(stored)) == chunk_shape_of(stored) == (2, 3, 4)
    assert chunk_shape_of(Inverted(Crop(stored, Region((1, 1, 1), (3, 3, 3))))) == (2, 3, 4)
    assert chunk_shape_of(Inverted(Plane(stored, "z", 1))) == (1, 1)
    assert chunk_shape_of(Inverted(Layers(stored, 0, 2))) == (3, 4)


def test_some_channels_of_any_view() -> None:
    some = narrowed(Inverted(cube), 1, 2)
    np.testing.assert_array_equal(read_all(some), 255 - CUBE[1:3])
    last = narrowed(some, 1, 1)
    assert isinstance(last, Channels)
    assert (last.first, last.count, last.source) == (2, 1, some.source)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(read_all(last), 255 - CUBE[2:])
    assert narrowed(last, 0, 1) is last
    box = Region((0, 1, 2), (3, 4, 5))
    inner = narrowed(Crop(Inverted(cube), box), 0, 2)
    np.testing.assert_array_equal(read_all(inner), 255 - CUBE[:2, 0:3, 1:4, 2:5])


def test_a_new_view_is_read_from_a_copy_of_what_is_behind_it(
    stored: Volume, tmp_path: Path
) -> None:
    view = Mirrored(Inverted(stored))
    (case,) = unpacked([Case("a", "a", view)], tmp_path / "run")
    kinds = [type(one) for one in view_chain(case.image)]
    assert kinds[:3] == [Mirrored, Inverted, UnpackedVolume]
    np.testing.assert_array_equal(read_all(case.image), read_all(view))


def test_a_range_behind_a_new_view_is_measured(stored: Volume, tmp_path: Path) -> None:
    stretched = Stretch().of(stored)
    measure([Case("a", "a", Mirrored(stretched))], tmp_path / "ranges.json")
    assert stretched.measured == [(float(CUBE[0].min()), float(CUBE[0].max()))]


def test_noise_is_found_through_views_of_places_only() -> None:
    noisy = Corrupted(cube, (Gaussian(sigma=3),), 0, "id")
    clean, noise = without_view(Crop(Mirrored(noisy), Region((0, 0, 0), (2, 3, 4))), Corrupted)
    assert noise is noisy
    np.testing.assert_array_equal(read_all(clean), CUBE[:, :2, :3, ::-1][..., :4])
    values = Inverted(noisy)
    assert without_view(values, Corrupted) == (values, None)


def test_the_whole_behind_crops_and_slices() -> None:
    view = Inverted(cube)
    assert unselected(Plane(Crop(Mirrored(view), Region((0, 0, 0), (2, 3, 4))), "z", 1)) is view
    assert unselected(cube) is cube
    assert list(view_chain(Mirrored(view))) == [Mirrored(view), view, cube]


def test_stamps_tell_what_decides_values(stored: Volume) -> None:
    """Equal for equal values, another for any other option; None where nothing is known."""
    views: list[Volume] = [
        stored,
        Transposed(stored, (1, 0, 2), "zyx"),
        Transposed(stored, (0, 2, 1), "zyx"),
        Layers(stored, 0, 2),
        Layers(stored, 1, 2),
        Stretch().of(stored),
        Stretch(low=1).of(stored),
    ]
    stamps = [values_stamp(view) for view in views]
    assert None not in stamps
    assert len(set(stamps)) == len(stamps)
    assert stamps == [values_stamp(view) for view in views]
    assert values_stamp(cube) is None
    assert values_stamp(Transposed(cube, (1, 0, 2), "zyx")) is None


def test_every_volume_with_a_source_is_a_view() -> None:
    """Whoever shows another volume has the one base, so that nothing needs to know its class."""
    classes = {
        value
        for found in pkgutil.walk_packages(lamina.__path__, "lamina.")
        if not found.name.endswith("__main__")
        for value in vars(importlib.import_module(found.name)).values()
        if isinstance(value, type) and value.__module__.startswith("lamina.")
    }
    shown = [
        class_
        for class_ in classes
        if callable(getattr(class_, "read", None))
        and "source" in vars(class_).get("__annotations__", ())
    ]
    assert len([one for one in classes if issubclass(one, VolumeView)]) >= 14
    assert [one.__name__ for one in shown if not issubclass(one, VolumeView)] == []
