"""READ-2, READ-3: what files say of axes, spacing and place, each as another library wrote it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import segyio
import tifffile
import zarr
from numpy.typing import NDArray

from lamina.data.catalogs import Folder, VolumePairs
from lamina.data.readers import open_volume
from lamina.errors import DataError
from lamina.recipe.load import load_recipe
from lamina.task import Task
from lamina.volume import placement_of, read_all

CUBE = np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5)
BINARY = Task(kind="binary", names=("spot",))


def ome_zarr(
    path: Path, array: NDArray[Any], axes: str, scale: list[float], unit: str | None = "micrometer"
) -> Path:
    described = [
        {"name": name, "type": "space"} | ({} if unit is None else {"unit": unit}) for name in axes
    ]
    steps = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": [10.0] * len(axes)},
    ]
    attributes = {
        "ome": {
            "version": "0.5",
            "multiscales": [
                {"axes": described, "datasets": [{"path": "0", "coordinateTransformations": steps}]}
            ],
        }
    }
    zarr.open_group(path, mode="w", attributes=attributes)
    stored = zarr.create_array(path / "0", shape=array.shape, dtype=array.dtype, chunks=array.shape)
    stored[...] = array
    return path


def segy(path: Path, first: tuple[int, int] = (100, 7), steps: tuple[int, int] = (1, 2)) -> Path:
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = 5, np.arange(5) * 4.0, 24
    with segyio.create(str(path), spec) as file:
        file.bin[segyio.BinField.Interval] = 4000
        for number, (i, j) in enumerate(np.ndindex(4, 6)):
            lines = {189: first[0] + i * steps[0], 193: first[1] + j * steps[1]}
            file.header[number] = {115: 5, 29: 1} | lines
            file.trace[number] = CUBE[i, j].astype(np.float32)
    return path


def test_read_2_spacing_is_read_in_mm_or_micrometres(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(CUBE, np.diag([0.5, 2, 3, 1]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "a.nii")
    assert placement_of(open_volume(tmp_path / "a.nii")).spacing == (0.5, 2, 3)
    small = nibabel.Nifti1Image(CUBE, None)
    small.header.set_zooms((500, 500, 800))
    small.header.set_xyzt_units("micron")
    nibabel.save(small, tmp_path / "b.nii")
    placed = placement_of(open_volume(tmp_path / "b.nii"))
    assert (placed.spacing, placed.units, placed.world) == ((500, 500, 800), ("um",) * 3, None)
    placed = placement_of(open_volume(ome_zarr(tmp_path / "a.zarr", CUBE, "zyx", [2, 0.5, 0.25])))
    assert (placed.axes, placed.spacing, placed.origin) == ("zyx", (2, 0.5, 0.25), (10, 10, 10))
    path = ome_zarr(tmp_path / "b.zarr", CUBE, "zyx", [40, 4, 4], "nanometer")
    assert placement_of(open_volume(path)).spacing == pytest.approx((0.04, 0.004, 0.004))
    placed = placement_of(open_volume(segy(tmp_path / "a.sgy")))
    assert (placed.spacing, placed.units) == ((1, 2, 4), ("inlines", "crosslines", "ms"))
    assert placed.origin == (100, 7, None)


def test_read_2_spacing_of_tiff_is_that_of_ome_imagej_or_its_resolution(tmp_path: Path) -> None:
    about: dict[str, Any] = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm"}
    about |= {"PhysicalSizeY": 200.0, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", CUBE, metadata=about, ome=True)
    placed = placement_of(open_volume(tmp_path / "a.ome.tif"))
    assert placed.spacing == pytest.approx((0.5, 0.2, 0.2))
    assert (placed.axes, placed.units) == ("zyx", ("um",) * 3)
    stack = {"axes": "ZYX", "spacing": 3.0, "unit": "um"}
    tifffile.imwrite(tmp_path / "b.tif", CUBE, imagej=True, resolution=(4, 2), metadata=stack)
    placed = placement_of(open_volume(tmp_path / "b.tif"))
    assert (placed.axes, placed.spacing) == ("zyx", pytest.approx((3, 0.5, 0.25)))
    tifffile.imwrite(tmp_path / "c.tif", CUBE[0], resolution=(254, 127), resolutionunit="INCH")
    placed = placement_of(open_volume(tmp_path / "c.tif"))
    assert (placed.axes, placed.spacing, placed.units) == (
        None,
        pytest.approx((0.2, 0.1)),
        ("mm",) * 2,
    )
    tifffile.imwrite(tmp_path / "d.tif", CUBE[0])
    assert placement_of(open_volume(tmp_path / "d.tif")).spacing is None


def test_read_2_axes_that_both_files_name_are_brought_to_the_images_order(tmp_path: Path) -> None:
    """READ-2, READ-25: OME-Zarr of x, y, z with labels of z, y, x, without an option."""
    ome_zarr(tmp_path / "raw.zarr", CUBE.transpose(2, 1, 0), "xyz", [0.25, 0.5, 2])
    ome_zarr(tmp_path / "labels.zarr", (CUBE > 50).astype(np.uint8), "zyx", [2, 0.5, 0.25])
    data = VolumePairs(image="raw.zarr", target="labels.zarr")
    (case,) = data.open(tmp_path, BINARY).cases
    assert case.image.axes == "xyz"
    np.testing.assert_array_equal(read_all(case.target), read_all(case.image) > 50)


@pytest.mark.parametrize("kind", ["zarr", "sgy"])
def test_read_2_other_steps_or_lines_are_refused_with_both(tmp_path: Path, kind: str) -> None:
    if kind == "zarr":
        ome_zarr(tmp_path / "raw.zarr", CUBE, "zyx", [2, 0.5, 0.5])
        ome_zarr(tmp_path / "labels.zarr", (CUBE > 50).astype(np.uint8), "zyx", [2, 0.5, 0.6])
        words = r"spacing \(2, 0.5, 0.5\) um.*\n.*spacing \(2, 0.5, 0.6\) um"
    else:
        segy(tmp_path / "raw.sgy")
        segy(tmp_path / "labels.sgy", first=(110, 7))
        words = r"origin \(100, 7, \?\)\n.*origin \(110, 7, \?\)"
    data = VolumePairs(image=f"raw.{kind}", target=f"labels.{kind}", labels={0: 0, "others": 1})
    with pytest.raises(DataError, match=words):
        data.open(tmp_path, BINARY)
    taken = data.model_copy(update={"orientation": "as_stored"})
    assert len(taken.open(tmp_path, BINARY).cases) == 1


def test_read_2_scales_in_other_units_are_compared_in_mm(tmp_path: Path) -> None:
    ome_zarr(tmp_path / "raw.zarr", CUBE, "zyx", [2, 0.5, 0.5])
    mask = (CUBE > 50).astype(np.uint8)
    path = ome_zarr(tmp_path / "labels.zarr", mask, "zyx", [0.002, 0.0005, 0.0005], "millimeter")
    data = VolumePairs(image="raw.zarr", target="labels.zarr")
    with pytest.raises(DataError, match=r"origin \(10, 10, 10\) um\n.*origin \(10, 10, 10\) mm"):
        data.open(tmp_path, BINARY)
    about = json.loads((path / "zarr.json").read_text())
    steps = about["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    steps[1]["translation"] = [0.01] * 3
    (path / "zarr.json").write_text(json.dumps(about))
    assert len(data.open(tmp_path, BINARY).cases) == 1


def test_read_3_axes_of_imagej_and_ome_tiff_count_before_what_a_recipe_guesses(
    tmp_path: Path,
) -> None:
    """READ-3: channels of ImageJ are no slices, and other names are an error that names both."""
    pixels = CUBE[:3]
    tifffile.imwrite(tmp_path / "c.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    found = open_volume(tmp_path / "c.tif", stack=True)
    assert (found.axes, found.channels) == ("yx", 3)
    tifffile.imwrite(tmp_path / "plain.tif", pixels, photometric="minisblack")
    assert open_volume(tmp_path / "plain.tif", stack=True).axes == "zyx"
    assert open_volume(tmp_path / "plain.tif", "xyz").axes == "xyz"
    tifffile.imwrite(tmp_path / "z.ome.tif", CUBE, metadata={"axes": "ZYX"}, ome=True)
    for path, said in (("c.tif", "cyx"), ("z.ome.tif", "zyx")):
        with pytest.raises(DataError, match=rf"own axes are '{said}', and data.axes says 'xyz'"):
            open_volume(tmp_path / path, "xyz")
        assert open_volume(tmp_path / path, "xyz", as_stored=True).axes == "xyz"


def test_read_2_resolution_tags_of_plain_tiff_are_not_compared(tmp_path: Path) -> None:
    for folder, dots in (("images", 300), ("masks", 72)):
        (tmp_path / folder).mkdir()
        pixels = (CUBE[0] > 9).astype(np.uint8)
        tifffile.imwrite(tmp_path / folder / "a.tif", pixels, resolution=(dots, dots))
    assert len(Folder().open(tmp_path, BINARY).cases) == 1


def test_read_3_built_in_recipes_name_no_axes_and_take_those_of_the_file(tmp_path: Path) -> None:
    """READ-3: NIfTI under volume-laptop is cut along its own z."""
    changes = ["data.image=raw.nii", "data.target=labels.nii"]
    recipe = load_recipe("volume-laptop", changes)
    array = np.arange(20 * 16 * 20, dtype=np.int16).reshape(20, 16, 20)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "raw.nii")
    label = nibabel.Nifti1Image((array > 99).astype(np.uint8) * 255, np.eye(4))
    nibabel.save(label, tmp_path / "labels.nii")
    listing = recipe.data.open(tmp_path, recipe.task)
    parts, _ = recipe.split.assign(listing.cases, tmp_path)
    assert [part.image.shape for part in parts] == [(20, 16, 14), (20, 16, 5)]
    planes = recipe.frame.cases(parts[:1])
    assert [plane.image.axes for plane in planes] == ["xy"] * 14
    wrong = load_recipe("volume-laptop", [*changes, "data.axes=zyx"])
    with pytest.raises(DataError, match=r"own axes are 'xyz', and data.axes says 'zyx'"):
        wrong.data.open(tmp_path, wrong.task)
    for name in ("faults", "faults-laptop", "denoise", "denoise-laptop", "volume-laptop"):
        assert getattr(load_recipe(name).data, "axes", None) is None


def test_read_3_what_lies_beyond_the_ranges_of_the_split_is_said(tmp_path: Path) -> None:
    recipe = load_recipe("volume-laptop", ["data.image=raw.npy", "data.target=labels.npy"])
    np.save(tmp_path / "raw.npy", np.zeros((256, 20, 16), np.uint8))
    np.save(tmp_path / "labels.npy", np.zeros((256, 20, 16), np.uint8))
    (case,) = recipe.data.open(tmp_path, recipe.task).cases
    (note,) = recipe.split.notes([case])
    assert "236 of 256 along 'z' (axes 'zyx' (256, 20, 16))" in note


@pytest.mark.parametrize("named", [True, False])
def test_read_25_image_and_target_have_axes_of_their_own(tmp_path: Path, named: bool) -> None:
    """READ-25: HDF5 raw (C, Z, Y, X) with label (Z, Y, X); without an option where it says so."""
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        raw = file.create_dataset("raw", data=np.stack([CUBE, CUBE + 500]))
        label = file.create_dataset("label", data=(CUBE > 50).astype(np.uint8))
        if named:
            for data, letters in ((raw, "czyx"), (label, "zyx")):
                for dimension, letter in zip(data.dims, letters, strict=True):
                    dimension.label = letter
    options = {} if named else {"axes": "czyx", "target_axes": "zyx"}
    data = VolumePairs(
        image="a.h5", target="a.h5", dataset="raw", target_dataset="label", **options
    )
    (case,) = data.open(tmp_path, BINARY).cases
    assert (case.image.axes, case.image.channels) == ("zyx", 2)
    np.testing.assert_array_equal(read_all(case.target)[0], CUBE > 50)
    if not named:
        wrong = data.model_copy(update={"target_axes": None})
        with pytest.raises(DataError, match=r"'czyx' names 4.*set data.target_axes to match"):
            wrong.open(tmp_path, BINARY)


def test_read_27_the_folder_catalog_is_told_which_axis_holds_the_channels(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    pixels = np.arange(7 * 8 * 3, dtype=np.uint8).reshape(7, 8, 3)
    np.save(tmp_path / "images" / "a.npy", pixels)
    np.save(tmp_path / "masks" / "a.npy", (pixels[..., 0] > 9).astype(np.uint8))
    (case,) = Folder(axes="yxc").open(tmp_path, BINARY).cases
    assert (case.image.axes, case.image.channels) == ("yx", 3)
    np.testing.assert_array_equal(read_all(case.image), pixels.transpose(2, 0, 1))
    again = Folder(axes="yxc").open_image(tmp_path / "images" / "a.npy")
    np.testing.assert_array_equal(read_all(again), read_all(case.image))


@pytest.mark.parametrize("step", [0.0, float("nan"), float("inf")])
def test_i15_a_spacing_that_is_none_is_not_taken_for_one(tmp_path: Path, step: float) -> None:
    """I15: 0, NaN and infinity are unknown, where libraries say 1; voxels are read exactly."""
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(CUBE, None)
    nibabel.save(image, path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, 80, step)  # pixdim[1] of the header
    path.write_bytes(data)
    volume = open_volume(path)
    spacing = placement_of(volume).spacing
    assert spacing is not None
    assert spacing[0] is None
    assert spacing[1:] == (1, 1)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_i15_a_sheared_affine_keeps_its_lengths_and_directions(tmp_path: Path) -> None:
    """I15: steps are lengths of columns, and voxels are never resampled behind one's back."""
    affine = np.array([[2, 1, 0, 5], [0, 3, 0, 6], [0, 0, 4, 7], [0, 0, 0, 1]], np.float64)
    nibabel.save(nibabel.Nifti1Image(CUBE, affine), tmp_path / "a.nii")
    placed = placement_of(open_volume(tmp_path / "a.nii"))
    assert placed.spacing == pytest.approx((2, 10**0.5, 4))
    assert placed.origin == pytest.approx((5, 6, 7))
    np.testing.assert_array_equal(read_all(open_volume(tmp_path / "a.nii"))[0], CUBE)
