"""NIfTI as nibabel writes it; its scaling, its odd types, and files that are not whole."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.readers import NiftiVolume, open_volume
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Chunked, read_all

CUBE = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


def put(path: Path, array: NDArray[Any] = CUBE, **fields: Any) -> Path:
    image = nibabel.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]), dtype=array.dtype)
    nibabel.save(image, path)
    if fields:  # nibabel writes a slope of its own, or none
        raw = bytearray(path.read_bytes())
        header = nibabel.Nifti1Header(bytes(raw[:348]))
        for name, value in fields.items():
            header[name] = value
        raw[:348] = header.binaryblock
        path.write_bytes(raw)
    return path


def test_axes_are_x_y_z_in_the_order_of_the_file(tmp_path: Path) -> None:
    volume = open_volume(put(tmp_path / "a.nii"))
    assert isinstance(volume, NiftiVolume)
    assert (volume.axes, volume.shape) == ("xyz", (5, 6, 7))
    assert open_volume(tmp_path / "a.nii", "zyx", as_stored=True).axes == "zyx"
    with pytest.raises(DataError, match=r"own axes are 'xyz', and data.axes says 'zyx'"):
        open_volume(tmp_path / "a.nii", "zyx")
    with pytest.raises(DataError, match=r"has 3 axes .*, which it calls 'xyz'"):
        open_volume(tmp_path / "a.nii", "yx")


def test_slope_and_intercept_of_the_header_are_applied_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a.nii", scl_slope=0.5, scl_inter=-3.0)
    volume = open_volume(path)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(read_all(volume)[0], CUBE * 0.5 - 3)
    np.testing.assert_allclose(read_all(volume)[0], nibabel.load(path).get_fdata(), rtol=1e-6)
    for fields in ({"scl_slope": 1.0, "scl_inter": 0.0}, {"scl_slope": 0.0}, {"scl_slope": np.nan}):
        plain = open_volume(put(tmp_path / "b.nii", **fields))
        assert plain.dtype == np.int16
        np.testing.assert_array_equal(read_all(plain)[0], CUBE)


def test_more_than_24_bits_are_scaled_in_double_precision(tmp_path: Path) -> None:
    large = (CUBE.astype(np.int32) + 2**30) | 1
    volume = open_volume(put(tmp_path / "a.nii", large, scl_slope=3.0, scl_inter=0.0))
    assert volume.dtype == np.float64
    np.testing.assert_array_equal(read_all(volume)[0], large * 3.0)


def test_a_gzipped_file_is_read_without_its_suffix_and_in_any_order(tmp_path: Path) -> None:
    path = put(tmp_path / "a.nii.gz").rename(tmp_path / "a.dat")
    volume = open_volume(path)
    assert isinstance(volume, Chunked)
    assert volume.chunk_shape == (5, 6, 1)
    for start in (4, 0, 2):
        part = volume.read(Region((1, 0, start), (3, 6, start + 3)))
        np.testing.assert_array_equal(part[0], CUBE[1:3, :, start : start + 3])


def test_axes_of_length_one_beyond_the_third_are_dropped(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nii.gz"):
        volume = open_volume(put(tmp_path / name, CUBE[..., None, None]))
        assert volume.shape == CUBE.shape
        np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    assert open_volume(put(tmp_path / "b.nii", CUBE[0])).axes == "xy"


def test_fault_I16_several_volumes_colours_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 5 axes \(5, 6, 2, 3, 7\)"):
        open_volume(put(tmp_path / "a.nii", np.zeros((5, 6, 2, 3, 7), np.float32)))
    with pytest.raises(DataError, match="holds complex64, not plain numbers"):
        open_volume(put(tmp_path / "b.nii", CUBE.astype(np.complex64)))
    colours = np.zeros((5, 6, 7), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(DataError, match="holds colours, not plain numbers"):
        open_volume(put(tmp_path / "c.nii", colours))


def test_both_orders_of_bytes_are_read(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(CUBE, np.eye(4), header), tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    volume = open_volume(tmp_path / "a.nii")
    assert volume.dtype.isnative
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_fault_I02_half_a_gzip_file_gives_no_half_volume(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 40), np.uint8)
    path = put(tmp_path / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    volume = open_volume(path)
    for region in (Region((0, 0, 0), (40, 40, 2)), Region.whole(volume.shape)):
        with pytest.raises(DataError, match=r"a\.nii\.gz: is cut off or damaged"):
            volume.read(region)


def test_a_gzip_file_of_something_else_is_called_one(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.dat", "wb") as stream:
        stream.write(b"hello" * 100)
    with pytest.raises(DataError, match="looks like a gzip file"):
        open_volume(tmp_path / "a.dat")


def test_without_nibabel_one_line_says_what_to_install(tmp_path: Path) -> None:
    path = put(tmp_path / "a.nii")
    code = (
        "import sys; sys.modules['nibabel'] = None\n"
        "from lamina.data.readers import open_volume\n"
        f"open_volume({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lamina[volumes]'" in done.stderr.splitlines()[-1]


def test_READ_26_the_fourth_axis_is_the_channels(tmp_path: Path) -> None:
    array = np.arange(4 * 5 * 3 * 2, dtype=np.int16).reshape(4, 5, 3, 2)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    volume = open_volume(tmp_path / "a.nii.gz")
    assert (volume.axes, volume.shape, volume.channels) == ("xyz", (4, 5, 3), 2)
    np.testing.assert_array_equal(read_all(volume), np.moveaxis(array, 3, 0))


def test_READ_9_the_checksum_of_gzip_is_compared(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 9, (16, 16, 16)).astype(np.uint8)
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    good = path.read_bytes()
    for at in range(40, len(good), 97):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(DataError, match=r"a\.nii\.gz: "):
            read_all(open_volume(path))


def test_read_12_a_length_below_one_is_refused(tmp_path: Path) -> None:
    """READ-12: the lengths are signed in the header; a damaged one is said, not a traceback."""
    path = put(tmp_path / "a.nii")
    data = bytearray(path.read_bytes())
    data[42:44] = (-5).to_bytes(2, "little", signed=True)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.nii: its header says lengths of \(-5, .* copy it"):
        open_volume(path)
