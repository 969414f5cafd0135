"""What every reader promises: regions of the whole, stored values, and no half files."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import imagecodecs
import nibabel
import numpy as np
import pytest
import segyio
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lamina.data.readers import SUFFIXES, open_volume
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Plane, Volume, read_all

Array = NDArray[Any]
RNG = np.random.default_rng(7)


def noise(shape: tuple[int, ...], dtype: str) -> Array:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RNG.normal(0, 1e3, shape).astype(kind)
    if kind.kind == "b":
        return RNG.random(shape) < 0.5
    info = np.iinfo(kind)
    return RNG.integers(info.min, info.max, shape, kind, endpoint=True)


def png(path: Path, array: Array) -> None:
    path.write_bytes(imagecodecs.png_encode(array))


def tiff(**options: Any) -> Callable[[Path, Array], Any]:
    return lambda path, array: tifffile.imwrite(path, array, **options)


def store(**options: Any) -> Callable[[Path, Array], Any]:
    def write(path: Path, array: Array) -> None:
        zarr.create_array(path, shape=array.shape, dtype=array.dtype, **options)[...] = array

    return write


def hdf5(**options: Any) -> Callable[[Path, Array], Any]:
    def write(path: Path, array: Array) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("volume", data=array, **options)

    return write


def nifti(path: Path, array: Array) -> None:
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4), dtype=array.dtype), path)


def nifti2(path: Path, array: Array) -> None:
    nibabel.save(nibabel.Nifti2Image(array, np.eye(4), dtype=array.dtype), path)


def segy(kind: int, endian: str = "big") -> Callable[[Path, Array], Any]:
    def write(path: Path, array: Array) -> None:
        spec = segyio.spec()
        spec.sorting, spec.format, spec.endian = 2, kind, endian
        spec.ilines, spec.xlines = np.arange(len(array)) + 100, np.arange(array.shape[1]) * 2 + 7
        spec.samples = np.arange(array.shape[2]) * 4.0
        with segyio.create(str(path), spec) as file:
            for number, place in enumerate(np.ndindex(*array.shape[:2])):
                inline, crossline = spec.ilines[place[0]], spec.xlines[place[1]]
                file.header[number] = {189: int(inline), 193: int(crossline)}
                file.trace[number] = array[place].copy()  # segyio converts in place

    return write


def last_axis_first(array: Array) -> Array:
    return np.moveaxis(array, -1, 0)


def alone(array: Array) -> Array:
    return array[None]


# name of the file, stored array, writer, what the reader must give
FILES: dict[str, tuple[Array, Callable[[Path, Array], Any], Callable[[Array], Array]]] = {
    "grey.png": (noise((23, 37), "u1"), png, alone),
    "grey_alpha.png": (noise((23, 37, 2), "u1"), png, last_axis_first),
    "colour.png": (noise((23, 37, 3), "u1"), png, last_axis_first),
    "colour_alpha.png": (noise((23, 37, 4), "u1"), png, last_axis_first),
    "grey16.png": (noise((23, 37), "u2"), png, alone),
    "grey_alpha16.png": (noise((23, 37, 2), "u2"), png, last_axis_first),
    "colour16.png": (noise((23, 37, 3), "u2"), png, last_axis_first),
    "colour_alpha16.png": (noise((23, 37, 4), "u2"), png, last_axis_first),
    "one_pixel_high.png": (noise((1, 37), "u1"), png, alone),
    "page.tif": (noise((23, 37), "u1"), tiff(), alone),
    "one_pixel_wide.tif": (noise((23, 1), "u2"), tiff(compression="zlib"), alone),
    "stack.tif": (noise((5, 23, 37), "u2"), tiff(photometric="minisblack"), alone),
    "stack_zlib.tif": (
        noise((5, 23, 37), "u1"),
        tiff(photometric="minisblack", compression="zlib", rowsperstrip=7),
        alone,
    ),
    "stack_predictor.tiff": (
        noise((4, 70, 90), "u2"),
        tiff(photometric="minisblack", compression="zlib", predictor=True, tile=(32, 48)),
        alone,
    ),
    "stack_lzw.tif": (
        noise((3, 23, 37), "i4"),
        tiff(photometric="minisblack", compression="lzw", metadata=None),
        alone,
    ),
    "float_predictor.tif": (
        noise((3, 23, 37), "f4"),
        tiff(photometric="minisblack", compression="zstd", predictor=3),
        alone,
    ),
    "big_endian.tif": (
        noise((3, 23, 37), "i2"),
        tiff(photometric="minisblack", byteorder=">"),
        alone,
    ),
    "bigtiff.tif": (
        noise((3, 23, 37), "f8"),
        tiff(photometric="minisblack", bigtiff=True, compression="deflate"),
        alone,
    ),
    "rgb.tif": (noise((23, 37, 3), "u1"), tiff(photometric="rgb"), last_axis_first),
    "rgb_apart.tif": (
        noise((3, 23, 37), "u2"),
        tiff(photometric="rgb", planarconfig="separate", compression="zlib", rowsperstrip=5),
        lambda array: array,
    ),
    "rgb_stack.tif": (
        noise((4, 23, 37, 3), "u1"),
        tiff(photometric="rgb", compression="zlib"),
        last_axis_first,
    ),
    "imagej.tif": (noise((5, 23, 37), "u2"), tiff(imagej=True, metadata={"axes": "ZYX"}), alone),
    "imagej_channels.tif": (
        noise((5, 2, 23, 37), "u2"),
        tiff(imagej=True, metadata={"axes": "ZCYX"}),
        lambda array: array.swapaxes(0, 1),
    ),
    "ome.tif": (
        noise((2, 5, 23, 37), "f4"),
        tiff(ome=True, metadata={"axes": "CZYX"}, compression="zlib"),
        lambda array: array,
    ),
    "one_bit.tif": (noise((23, 37), "?"), tiff(), lambda array: array[None].astype("u1")),
    "image.npy": (noise((23, 37), "u2"), np.save, alone),
    "volume.npy": (noise((5, 23, 37), "f4"), np.save, alone),
    "fortran.npy": (np.asfortranarray(noise((5, 23, 37), "f2")), np.save, alone),
    "other_order.npy": (noise((23, 37), "i4").astype(">i4"), np.save, alone),
    "mask.npy": (noise((23, 37), "?"), np.save, alone),
    "plain.zarr": (noise((5, 23, 37), "u2"), store(chunks=(2, 8, 16)), alone),
    "bare.zarr": (noise((5, 23, 37), "f4"), store(chunks=(2, 8, 16), compressors=None), alone),
    "sharded.zarr": (noise((5, 23, 37), "f2"), store(chunks=(2, 8, 8), shards=(4, 16, 16)), alone),
    "second.zarr": (noise((5, 23, 37), "i4"), store(chunks=(5, 23, 10), zarr_format=2), alone),
    "swapped.zarr": (
        noise((5, 23), "u2").astype(">u2"),
        store(chunks=(5, 23), zarr_format=2),
        alone,
    ),
    "mask.zarr": (noise((5, 23, 37), "?"), store(chunks=(2, 8, 16)), alone),
    "channels.zarr": (
        noise((2, 5, 23, 37), "u1"),
        store(chunks=(1, 2, 8, 16), dimension_names=["channel", "z", "y", "x"]),
        lambda array: array,
    ),
    "plain.h5": (noise((5, 23, 37), "f8"), hdf5(), alone),
    "chunks.h5": (
        noise((5, 23, 37), "f2"),
        hdf5(chunks=(2, 8, 16), compression="lzf", shuffle=True),
        alone,
    ),
    "gzip.hdf5": (
        noise((23, 37), "i2").astype(">i2"),
        hdf5(chunks=(8, 16), compression="gzip"),
        alone,
    ),
    "mask.h5": (noise((5, 23, 37), "?"), hdf5(), alone),
    "plain.nii": (noise((5, 23, 37), "i2"), nifti, alone),
    "packed.nii.gz": (noise((5, 23, 37), "f4"), nifti, alone),
    "second.nii": (noise((5, 23, 37), "u2"), nifti2, alone),
    "second.nii.gz": (noise((5, 23, 37), "u1"), nifti2, alone),
    "ieee.sgy": (noise((5, 7, 37), "f4"), segy(5), alone),
    "short.segy": (noise((5, 7, 37), "i2"), segy(3), alone),
    "little.sgy": (noise((5, 7, 37), "f4"), segy(5, "little"), alone),
}
STORES = [name for name in FILES if name.endswith(".zarr")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    for name, (array, write, _) in FILES.items():
        write(folder / name, array)
    image = Image.fromarray(np.outer(np.arange(40), np.ones(60)).astype(np.uint8) * 5)
    image.save(folder / "grey.jpg", quality=95)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_values_type_and_shape_are_those_stored(folder: Path, name: str) -> None:
    """I08."""
    array, _, wanted = FILES[name]
    volume = open_volume(folder / name)
    assert isinstance(volume, Volume)
    whole, expected = read_all(volume), wanted(array)
    assert (volume.channels, *volume.shape) == expected.shape == whole.shape
    assert len(volume.axes) == len(volume.shape)
    assert volume.name.startswith(str(folder / name))
    assert whole.dtype == volume.dtype == expected.dtype.newbyteorder("=")
    assert whole.dtype.isnative
    np.testing.assert_array_equal(whole, expected)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_region_is_that_part_of_the_whole(folder: Path, name: str, data: st.DataObject) -> None:
    volume = open_volume(folder / name)
    spans = [
        sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in volume.shape
    ]
    region = Region(tuple(a for a, _ in spans), tuple(b for _, b in spans))
    part = volume.read(region)
    assert part.dtype == volume.dtype
    np.testing.assert_array_equal(part, read_all(volume)[(slice(None), *region.slices)])


@pytest.mark.parametrize("name", FILES)
def test_a_region_outside_is_the_callers_mistake(folder: Path, name: str) -> None:
    volume = open_volume(folder / name)
    for start, stop in [((-1,), (1,)), ((0,), (1000,)), ((50,), (60,))]:
        beyond = Region(start * len(volume.shape), stop * len(volume.shape))
        with pytest.raises(ValueError, match="leaves the volume"):
            volume.read(beyond)
    with pytest.raises(ValueError, match="leaves the volume"):
        volume.read(Region((0,), (1,)))


@pytest.mark.parametrize("name", FILES)
def test_what_is_read_may_be_changed_without_changing_the_next_read(
    folder: Path, name: str
) -> None:
    volume = open_volume(folder / name)
    before = read_all(volume).copy()
    read_all(volume)[:] = 0
    np.testing.assert_array_equal(read_all(volume), before)


@pytest.mark.parametrize("name", FILES)
def test_a_pickled_volume_is_small_and_reads_the_same(folder: Path, name: str) -> None:
    volume = open_volume(folder / name)
    whole = read_all(volume)
    packed = pickle.dumps(volume)
    assert len(packed) < 4000
    np.testing.assert_array_equal(read_all(pickle.loads(packed)), whole)


@pytest.mark.parametrize("name", [*(name for name in FILES if name not in STORES), "grey.jpg"])
@pytest.mark.parametrize("percent", [1, 50, 99])
def test_fault_I02_a_file_cut_short_is_refused(
    folder: Path, tmp_path: Path, name: str, percent: int
) -> None:
    data = (folder / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: max(len(data) * percent // 100, 1)])
    with pytest.raises(DataError, match=name):
        read_all(open_volume(cut))


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("percent", [0, 50, 99])
def test_fault_I02_a_chunk_cut_short_is_refused(
    folder: Path, tmp_path: Path, name: str, percent: int
) -> None:
    cut = tmp_path / name
    shutil.copytree(folder / name, cut)
    chunk = max(
        (one for one in cut.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size
    )
    data = chunk.read_bytes()
    chunk.write_bytes(data[: len(data) * percent // 100])
    with pytest.raises(DataError, match=name):
        read_all(open_volume(cut))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fault_I01_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    with pytest.raises(DataError, match=r"empty.*: is empty \(0 bytes\)"):
        open_volume(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_volume(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(DataError, match="cannot be opened"):
        open_volume(tmp_path / f"folder{suffix}")


@pytest.mark.parametrize("name", ["grey.png", "stack_zlib.tif", "stack.tif", "volume.npy"])
@pytest.mark.parametrize("odd", ["Стан 1 ä", "-dash", "new\nline", "e\u0301"])
def test_fault_I21_odd_names_are_read(folder: Path, tmp_path: Path, name: str, odd: str) -> None:
    path = tmp_path / f"{odd}{Path(name).suffix}"
    path.write_bytes((folder / name).read_bytes())
    np.testing.assert_array_equal(read_all(open_volume(path)), read_all(open_volume(folder / name)))


@pytest.mark.parametrize(
    "name",
    [
        *("grey.png", "grey.jpg", "stack_zlib.tif", "volume.npy", "chunks.h5", "plain.nii"),
        *("second.nii.gz", "ieee.sgy"),
    ],
)
@pytest.mark.parametrize("suffix", [*SUFFIXES, ".dat"])
def test_fault_I03_the_content_decides_and_not_the_suffix(
    folder: Path, tmp_path: Path, name: str, suffix: str
) -> None:
    path = tmp_path / f"renamed{suffix}"
    path.write_bytes((folder / name).read_bytes())
    np.testing.assert_array_equal(read_all(open_volume(path)), read_all(open_volume(folder / name)))


@pytest.mark.parametrize("name", ["grey.png", "stack_zlib.tif", "rgb.tif"])
def test_fault_I06_images_above_the_limit_are_refused(folder: Path, name: str) -> None:
    assert open_volume(folder / name, limit=23 * 37).shape[-2:] == (23, 37)
    if name != "rgb.tif":  # mapped, never decoded
        with pytest.raises(DataError, match="37 x 23 pixels, more than the limit of 850"):
            open_volume(folder / name, limit=850)


@pytest.mark.data
def test_real_images_equal_another_librarys(shared_data: Path) -> None:
    for path in sorted((shared_data / "magnetic-tile-defects" / "images").glob("*.jpg"))[:3]:
        np.testing.assert_array_equal(
            read_all(open_volume(path)), np.asarray(Image.open(path))[None]
        )
    stack = shared_data / "em-drosophila-vnc" / "raw.tif"
    volume = open_volume(stack)
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", (20, 1024, 576), np.dtype("u1"))
    whole = tifffile.imread(stack)
    np.testing.assert_array_equal(
        volume.read(Region((3, 100, 7), (6, 900, 570)))[0], whole[3:6, 100:900, 7:570]
    )


FORMATS: dict[str, Callable[[Path, Array], Any]] = {
    "cube.npy": np.save,
    "cube.tif": tiff(photometric="minisblack"),
    "cube.zarr": store(chunks=(4, 32, 64)),
    "cube.h5": hdf5(chunks=(4, 32, 64), compression="gzip"),
    "cube.nii.gz": nifti,
    "ieee.sgy": segy(5),
}


@pytest.mark.data
@pytest.mark.parametrize("name", FORMATS)
def test_a_real_field_volume_is_the_same_in_every_format(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    """FAULT-1: what is read is what is stored, whatever the volume is stored in."""
    field = np.load(shared_data / "seismic-f3-faults" / "field3d.npy")
    FORMATS[name](tmp_path / name, field)
    volume = open_volume(tmp_path / name)
    assert (volume.shape, volume.dtype) == (field.shape, field.dtype)
    np.testing.assert_array_equal(read_all(volume)[0], field)
    for index, axis in enumerate(volume.axes):
        plane = Plane(volume, axis, field.shape[index] // 2)
        np.testing.assert_array_equal(read_all(plane)[0], field.take(plane.index, index))
