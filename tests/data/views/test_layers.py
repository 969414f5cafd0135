"""Layers: a stack of files read where it is asked, seen as channels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.prepare.unpack import unpacked
from lamina.data.readers import open_volume
from lamina.data.views.layers import LayerFiles, Layers, open_layers
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, chunk_shape_of, narrowed, read_all


def stack(*shape: int, dtype: type[np.generic] = np.uint16) -> NDArray[np.generic]:
    return np.random.default_rng(0).integers(0, 60000, shape).astype(dtype)


def write(folder: Path, array: NDArray[np.generic], first: int = 0, **options: object) -> Path:
    folder.mkdir(parents=True)
    for number, layer in enumerate(array):
        tifffile.imwrite(folder / f"{number + first:02d}.tif", layer, **options)  # type: ignore[arg-type]
    return folder


def test_files_called_by_numbers_are_a_stack_in_their_order(tmp_path: Path) -> None:
    array = stack(12, 9, 7)
    folder = tmp_path / "surface_volume"
    folder.mkdir()
    for number, layer in enumerate(array):  # 10 comes after 9, whatever the alphabet says
        tifffile.imwrite(folder / f"{number}.tif", layer)
    found = open_layers(folder)
    assert (found.axes, found.shape, found.channels, found.dtype) == (
        "zyx",
        (12, 9, 7),
        1,
        np.dtype(np.uint16),
    )
    np.testing.assert_array_equal(read_all(found)[0], array)
    part = found.read(Region((3, 2, 1), (11, 8, 6)))
    np.testing.assert_array_equal(part[0], array[3:11, 2:8, 1:6])
    assert pickle.loads(pickle.dumps(found)).stamp() == found.stamp()


def test_only_the_layers_asked_for_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", stack(5, 8, 8))
    found = open_layers(folder)
    (folder / "00.tif").unlink()
    (folder / "04.tif").unlink()
    assert Layers(found, 1, 3).read(Region((0, 0), (8, 8))).shape == (3, 8, 8)
    with pytest.raises(DataError, match="00"):
        read_all(found)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: [p.unlink() for p in f.iterdir()], "no layer in it"),
        (lambda f: (f / "01.tif").unlink(), "1 layers are missing; add them\n  1"),
        (lambda f: (f / "01.tif").rename(f / "one.tif"), "one.tif: is no number"),
        (lambda f: tifffile.imwrite(f / "1.tif", stack(4, 5)), "1.tif"),
        (lambda f: tifffile.imwrite(f / "02.tif", stack(4, 6)), r"02.tif: \(4, 6\)"),
        (lambda f: tifffile.imwrite(f / "02.tif", stack(4, 5, dtype=np.uint8)), "of uint8"),
    ],
)
def test_what_is_no_stack_is_refused_by_name(tmp_path: Path, spoil: object, says: str) -> None:
    folder = write(tmp_path / "s", stack(3, 4, 5))
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(DataError, match=says):
        open_layers(folder)


def test_layers_are_channels_of_the_slices_they_come_from() -> None:
    array = stack(1, 10, 6, 5)
    layers = Layers(ArrayVolume(array, "zyx"), 2, 4)
    assert (layers.axes, layers.shape, layers.channels) == ("yx", (6, 5), 4)
    found = layers.read(Region((1, 0), (5, 3)))
    np.testing.assert_array_equal(found, array[0, 2:6, 1:5, :3])
    assert "z=2:6" in layers.name


@pytest.mark.parametrize(("first", "count"), [(-1, 3), (8, 3), (0, 0)])
def test_layers_that_are_not_there_are_refused(first: int, count: int) -> None:
    with pytest.raises(DataError, match="has 10 layers"):
        Layers(ArrayVolume(stack(1, 10, 6, 5), "zyx"), first, count)


def test_narrowed_layers_are_those_of_the_whole_and_no_others_are_read() -> None:
    array = stack(1, 10, 6, 5)
    layers = Layers(ArrayVolume(array, "zyx"), 2, 6)
    box = Region((1, 1), (5, 4))
    for volume in (layers, Crop(layers, box), ArrayVolume(array[0, 2:8])):
        some = narrowed(volume, 1, 3)
        np.testing.assert_array_equal(read_all(some), read_all(volume)[1:4])
        assert (some.channels, some.shape, some.dtype) == (3, volume.shape, np.dtype(np.uint16))
        assert narrowed(volume, 0, 6) is volume
    inner = narrowed(Crop(layers, box), 1, 3)
    assert isinstance(inner, Crop)
    assert inner.source == Layers(layers.source, 3, 3)


@pytest.mark.parametrize("packed", [True, False])
def test_packed_layers_are_unpacked_once_and_alone(tmp_path: Path, packed: bool) -> None:
    array = stack(9, 40, 30)
    folder = write(tmp_path / "s", array, compression="zlib" if packed else None, rowsperstrip=8)
    layers = Layers(open_layers(folder), 3, 5)
    assert chunk_shape_of(layers) == ((8, 30) if packed else (1, 1))
    box = Region((5, 5), (25, 30))
    cases = [Case(name, name, Crop(layers, box)) for name in "ab"]
    found = unpacked(cases, tmp_path / "copies")
    copies = list((tmp_path / "copies").glob("*")) if packed else []
    assert len(copies) == packed
    for case in found:
        np.testing.assert_array_equal(read_all(case.image), array[3:8, 5:25, 5:30])
    if packed:
        assert np.load(copies[0], mmap_mode="r").shape == (5, 40, 30)
        some = narrowed(found[0].image, 1, 2)
        np.testing.assert_array_equal(read_all(some), array[4:6, 5:25, 5:30])


@pytest.mark.data
def test_a_real_stack_of_bytes_is_what_tifffile_reads(shared_data: Path) -> None:
    """INK-1."""
    folder = shared_data / "surface-volume-standin" / "2" / "surface_volume"
    found = open_layers(folder)
    assert isinstance(found, LayerFiles)
    assert (found.shape, found.dtype) == ((20, 336, 432), np.dtype(np.uint8))
    expected = np.stack([tifffile.imread(folder / f"{n:02d}.tif") for n in (8, 9)])
    part = Layers(found, 8, 2).read(Region((10, 20), (100, 90)))
    np.testing.assert_array_equal(part, expected[:, 10:100, 20:90])
    assert open_volume(folder / "00.tif").dtype == np.uint8
