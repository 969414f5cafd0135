"""From a file through ``predict`` to native output, opened by the format's own library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import rasterio
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
AFFINE = np.array([[0.0, 0.5, 0.0, -9], [0.0, 0.0, 0.5, 4], [2.0, 0.0, 0.0, 7], [0, 0, 0, 1.0]])
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


def put_ome_tiff(folder: Path) -> Path:
    about = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(folder / "scan.ome.tif", CUBE, metadata=about)
    return folder / "scan.ome.tif"


def put_ome_zarr(folder: Path) -> Path:
    root = zarr.create_group(folder / "scan.ome.zarr")
    root.create_array("0", data=CUBE, chunks=(2, 16, 16))
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
    levels = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    return folder / "scan.ome.zarr"


def put_nifti(folder: Path) -> Path:
    image = nibabel.Nifti1Image(CUBE, AFFINE)
    image.set_sform(AFFINE, 2)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, folder / "scan.nii.gz")
    return folder / "scan.nii.gz"


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


def read_ome_tiff(native: Path, k: int) -> NDArray[Any]:
    with tifffile.TiffFile(next((native / CLASSES[k]).glob("scan*.tif"))) as file:
        assert file.series[0].axes == "ZYX"
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert [pixels[f"PhysicalSize{axis}"] for axis in "XYZ"] == [0.5, 0.5, 2.0]
        return file.asarray()


def read_ome_zarr(native: Path, k: int) -> NDArray[Any]:
    said = zarr.open_group(native / "scan.ome.zarr", mode="r").attrs["ome"]
    (scale, *_) = said["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][-3:] == [2.0, 0.5, 0.5]
    return read_zarr(native, k)


def read_nifti(native: Path, k: int) -> NDArray[Any]:
    found = nibabel.load(native / CLASSES[k] / "scan.nii.gz")
    np.testing.assert_array_equal(found.affine, AFFINE)
    assert found.header["sform_code"] == 2
    return np.asarray(found.dataobj)


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
        (put_ome_tiff, read_ome_tiff, {"labels"}),
        (put_ome_zarr, read_ome_zarr, {"probability_and_labels"}),
        (put_nifti, read_nifti, {"labels"}),
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


def test_a_geotiff_comes_back_at_its_coordinates(make: Any, tmp_path: Path) -> None:
    """Of a pixel that is predicted, the map coordinates are those of the pixel that was given."""
    source = tmp_path / "images" / "scene.tif"
    source.parent.mkdir()
    place = rasterio.transform.from_origin(500_000.0, 5_400_000.0, 10.0, 10.0)
    about = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(source, "w", height=32, width=40, transform=place, **about) as file:
        file.write(CUBE[0], 1)
    make.bundle(frame={"size": [32, 32], "channels": 1}).save(tmp_path / "bundle")
    predict([tmp_path / "bundle"], [source.parent], tmp_path / "pred", device="cpu")
    found = Predictions.open(tmp_path / "pred")
    (id,) = found.ids
    for k, mask in enumerate(np.asarray(found.mask(id))):
        assert 0 < mask.mean() < 1
        with rasterio.open(tmp_path / "pred" / "native" / CLASSES[k] / "scene.tif") as file:
            assert file.crs.to_epsg() == 32633
            row, column = np.argwhere(mask)[0]
            assert file.xy(row, column) == (500_005.0 + 10 * column, 5_399_995.0 - 10 * row)
            np.testing.assert_array_equal(file.read(1) > 0, mask)


def test_once_the_library_is_installed_the_same_command_writes_what_was_left_out(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put_dicom(tmp_path)
    frame = {"size": [32, 32], "channels": 1, "slices": {"axes": open_volume(source).axes[0]}}
    make.bundle(data={"kind": "volume_pairs", "image": "scan"}, frame=frame).save(tmp_path / "b")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "highdicom", None)
        for _ in range(2):
            result = predict([tmp_path / "b"], [source], tmp_path / "pred", device="cpu")
            (why,) = result.left_out
            assert "highdicom is not installed" in why
    result = predict([tmp_path / "b"], [source], tmp_path / "pred", device="cpu")
    assert (result.left_out, result.kept) == ((), 1)
    read_dicom(tmp_path / "pred" / "native", 0)
    written = (tmp_path / "pred" / "native" / "scan.dcm").stat().st_mtime_ns
    predict([tmp_path / "b"], [source], tmp_path / "pred", device="cpu")
    assert (tmp_path / "pred" / "native" / "scan.dcm").stat().st_mtime_ns == written
