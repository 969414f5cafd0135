"""From a file through ``predict`` to native output, opened by the format's own library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import highdicom
import numpy as np
import pydicom
import pytest
import segyio
import tifffile
import zarr
from numpy.typing import NDArray

from lamina.data.readers import open_volume
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from tests.factories.dicom import write_slice

SHAPE = (4, 32, 40)
CUBE = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
CLASSES = ("dot", "line")
FOR = {"StudyInstanceUID": "1.2.3.9", "FrameOfReferenceUID": "1.2.3.8", "PatientID": "P-7"}


def put_dicom(folder: Path) -> Path:
    for z, page in enumerate(CUBE):
        uid = {"SOPInstanceUID": f"1.2.5.{z}"}
        write_slice(folder / "scan" / f"{z}.dcm", page.astype(np.int16), z, **uid, **FOR)
    return folder / "scan"


def put_segy(folder: Path) -> Path:
    segyio.tools.from_array(str(folder / "scan.sgy"), CUBE.astype(np.float32), format=5)
    return folder / "scan.sgy"


def put_tiff(folder: Path) -> Path:
    about = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
    tifffile.imwrite(folder / "scan.tif", CUBE, imagej=True, metadata=about)
    return folder / "scan.tif"


def put_npy(folder: Path) -> Path:
    np.save(folder / "scan.npy", CUBE)
    return folder / "scan.npy"


def put_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "scan.h5", "w") as file:
        file["raw"] = CUBE
    return folder / "scan.h5"


def read_dicom(native: Path, k: int) -> NDArray[Any]:
    found = highdicom.seg.segread(native / "scan.dcm")
    assert found.FrameOfReferenceUID == FOR["FrameOfReferenceUID"]
    assert pydicom.dcmread(native / "scan.dcm").PatientID == "P-7"
    pixels = found.get_pixels_by_source_instance([f"1.2.5.{z}" for z in range(len(CUBE))])
    return pixels[..., k]


def read_segy(native: Path, k: int) -> NDArray[Any]:
    return segyio.tools.cube(str(native / CLASSES[k] / "scan.sgy")) > 0.5


def read_tiff(native: Path, k: int) -> NDArray[Any]:
    with tifffile.TiffFile(native / CLASSES[k] / "scan.tif") as file:
        assert file.series[0].axes == "ZYX"
        assert file.imagej_metadata["spacing"] == 1.5
        return file.asarray()


def read_zarr(native: Path, k: int) -> NDArray[Any]:
    root = zarr.open_group(native / "scan.ome.zarr", mode="r")
    return np.asarray(root["labels"][CLASSES[k]]["0"][:])


@pytest.mark.parametrize(
    ("put", "read", "holds"),
    [
        (put_dicom, read_dicom, {"labels"}),
        (put_segy, read_segy, {"probability"}),
        (put_tiff, read_tiff, {"labels"}),
        (put_npy, read_zarr, {"probability_and_labels"}),
        (put_hdf5, read_zarr, {"probability_and_labels"}),
    ],
)
def test_what_is_predicted_comes_back_at_the_voxels_of_the_file(
    make: Any,
    tmp_path: Path,
    put: Callable[[Path], Path],
    read: Callable[[Path, int], NDArray[Any]],
    holds: set[str],
) -> None:
    source = put(tmp_path)
    frame = {"size": [32, 32], "channels": 1, "slices": {"axes": open_volume(source).axes[0]}}
    data = {"kind": "volume_pairs", "image": source.name, "orientation": "as_stored"}
    make.bundle(data=data, frame=frame).save(tmp_path / "bundle")
    result = predict([tmp_path / "bundle"], [source], tmp_path / "pred", device="cpu")
    assert result.left_out == ()
    found = Predictions.open(tmp_path / "pred")
    (id,) = found.ids
    assert set(found.case(id).native.values()) == holds
    masks = np.asarray(found.mask(id))
    assert 0 < masks.mean() < 1
    for k, mask in enumerate(masks):
        back = read(tmp_path / "pred" / "native", k)
        assert back.shape == SHAPE
        np.testing.assert_array_equal(back, mask)
