"""A file of every format, and its values as an array, are predicted to equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import nibabel
import numpy as np
import pydicom
import pytest
import segyio
import tifffile
import zarr
from numpy.typing import NDArray

import lamina
from lamina.data.readers import FORMATS
from lamina.inference.model import Model
from lamina.volume import ArrayVolume
from tests.factories.bundles import Maker
from tests.factories.dicom import write_series, write_slice

Written = tuple[NDArray[Any] | None, str]
"""What was written, None where it is read otherwise; and the axes as stored."""

FLAT = np.random.default_rng(1).integers(0, 256, (40, 50), np.uint8)
SOLID = np.random.default_rng(2).integers(0, 256, (5, 36, 40), np.uint8)


def picture(path: Path) -> Written:
    cv2.imwrite(str(path), FLAT)
    return (None if path.suffix in (".jpg", ".webp") else FLAT), "yx"


def tiff(path: Path) -> Written:
    array = SOLID if path.stem == "stack" else FLAT.astype(path.stem)
    tifffile.imwrite(path, array, photometric="minisblack")
    return array, "zyx" if array.ndim == 3 else "yx"


def npy(path: Path) -> Written:
    array = SOLID if path.stem == "stack" else FLAT.astype(np.float32)
    np.save(path, array)
    return array, "zyx" if array.ndim == 3 else "yx"


def hdf5(path: Path) -> Written:
    with h5py.File(path, "w") as file:
        file["raw"] = SOLID
    return SOLID, "zyx"


def nifti(path: Path) -> Written:
    stored = np.ascontiguousarray(SOLID.T)
    nibabel.save(nibabel.Nifti1Image(stored, np.diag([0.5, 0.5, 2, 1])), path)
    return None, "xyz"  # read in another orientation


def zarr_store(path: Path) -> Written:
    array = zarr.create_array(path, shape=SOLID.shape, chunks=(2, 16, 16), dtype=SOLID.dtype)
    array[:] = SOLID
    return SOLID, "zyx"


def segy(path: Path) -> Written:
    values = SOLID.astype(np.float32)
    segyio.tools.from_array3D(str(path), values)
    return values, "zyx"


def dicom(path: Path) -> Written:
    write_slice(path, FLAT.astype(np.int16), (0, 0, 0))
    return pydicom.dcmread(path).pixel_array, "yx"


def dicom_series(path: Path) -> Written:
    path.mkdir()
    write_series(path, SOLID.astype(np.int16))
    return None, "zyx"


FILES: dict[str, Callable[[Path], Written]] = {
    **{f"photo{suffix}": picture for suffix in (".png", ".jpg", ".bmp", ".webp")},
    **{f"{dtype}.tif": tiff for dtype in ("uint8", "uint16", "float32")},
    "flat.npy": npy,
    "slice.dcm": dicom,
    "stack.tif": tiff,
    "stack.npy": npy,
    "stack.h5": hdf5,
    "stack.nii.gz": nifti,
    "stack.zarr": zarr_store,
    "stack.sgy": segy,
    "series": dicom_series,
}


ORIENTED = ("stack.nii.gz", "series")
"""What is read turned to the axes of the patient."""


@pytest.fixture(scope="module")
def model(make: Maker, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    frame = {"slices": {"axes": "z"}, "size": [32, 32], "channels": 1}
    make.bundle(frame=frame).save(folder)
    return lamina.load(folder, device="cpu", threads=1)


def test_a_file_of_every_format_is_tried(tmp_path: Path) -> None:
    tried = set()
    for name, write in FILES.items():
        write(tmp_path / name)
        tried.add(FORMATS.sniff(tmp_path / name).name)
    assert tried == {one.name for one in FORMATS.known}


@pytest.mark.parametrize("name", FILES)
def test_path_and_array_give_equal_bytes(model: Model, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written, axes = FILES[name](path)
    by_path = model(path)
    values = by_path.image  # (C, *S) as read, in the orientation that the recipe gives
    if len(values) == 3:  # a format that stores grey as colours
        assert (values == values[:1]).all()
    if name in ORIENTED:  # an array has no orientation, a volume keeps the order of its axes
        assert by_path.axes == "xyz"
        by_values = model(ArrayVolume(values, by_path.axes, name))
    else:
        by_values = model(values[:1], axes=f"c{by_path.axes}")
    np.testing.assert_array_equal(by_values.probabilities, by_path.probabilities)
    if written is not None:
        found = model(written, axes=axes)
        order = (0, *(1 + axes.index(axis) for axis in by_path.axes))
        np.testing.assert_array_equal(found.probabilities.transpose(order), by_path.probabilities)
