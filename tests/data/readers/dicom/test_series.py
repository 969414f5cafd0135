"""READ-29: a folder of DICOM slices as one volume, against nibabel's turns of the same voxels."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.catalogs import CsvRle, Folder, VolumePairs
from lamina.data.orientation import canonical
from lamina.data.readers import (
    Dicom,
    DicomSeries,
    images_below,
    is_image,
    is_volume,
    look_below,
    open_volume,
    stem_of,
)
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.task import Task
from lamina.volume import placement_of, read_all
from tests.factories.dicom import AXIAL, SAGITTAL, place_of, read_again, write_series, write_slice

CUBE = np.random.default_rng(0).integers(-1000, 2000, (6, 7, 9)).astype(np.int16)
BINARY = Task(kind="binary", names=("spot",))


@pytest.mark.parametrize("turn", [AXIAL, SAGITTAL])
def test_read_29_slices_are_sorted_along_their_normal_and_turned_as_nibabel_turns_them(
    tmp_path: Path, turn: Any
) -> None:
    """READ-29: the files' names say nothing of their order."""
    affine = write_series(tmp_path / "ct", CUBE, turn=turn)
    volume = open_volume(tmp_path / "ct")
    assert isinstance(volume, DicomSeries)
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", CUBE.shape, np.int16)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    box = Region((1, 2, 0), (4, 5, 9))
    np.testing.assert_array_equal(volume.read(box)[0], CUBE[box.slices])
    twin = nibabel.as_closest_canonical(nibabel.Nifti1Image(CUBE, affine))
    found = canonical(volume)
    np.testing.assert_array_equal(read_all(found)[0], np.asarray(twin.dataobj))
    grid = placement_of(found).grid
    assert grid is not None
    np.testing.assert_allclose(grid, twin.affine[:3], atol=1e-6)
    assert placement_of(volume).spacing == pytest.approx((3, 0.5, 0.75))


def test_read_29_values_are_those_of_each_slice_by_its_own_rescale(tmp_path: Path) -> None:
    for at, pixels in enumerate(CUBE):
        slope = {"RescaleSlope": at + 0.5, "RescaleIntercept": -1.0} if at else {}
        write_slice(tmp_path / "pet" / f"{at}.dcm", pixels, at, **slope)
    volume = open_volume(tmp_path / "pet")
    assert volume.dtype == np.float32
    wanted = np.stack([CUBE[0], *(CUBE[k] * np.float32(k + 0.5) - 1 for k in range(1, 6))])
    np.testing.assert_allclose(read_all(volume)[0], wanted, rtol=1e-6)
    plain = open_volume(tmp_path / "pet", dicom=Dicom(rescale=False))
    np.testing.assert_array_equal(read_all(plain)[0], CUBE)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: (f / "2.dcm").unlink(),
            r"missing in 1 places.* 3 mm apart.*\n.*6 mm from 1.dcm",
        ),
        (
            lambda f: shutil.copy(f / "2.dcm", f / "copy.dcm"),
            r"lie where another.*\n.*2.dcm and co",
        ),
        (lambda f: put(f, at=2.3), r"2.dcm lies 0.9 mm beside an even grid"),
        (lambda f: put(f, SeriesInstanceUID="1.9"), r"holds 2 series.*\n.*1.2.3.4: 5 slices"),
        (lambda f: put(f, ImagePositionPatient=None), r"1 of 6 slices do not say where.*\n.*2.dcm"),
        (lambda f: put(f, turn=SAGITTAL), r"1 of 6 slices have another orientation.*\n.*2.dcm"),
        (
            lambda f: put(f, spacing=(0.5, 0.5)),
            r"1 of 6 slices have another orientation or spacing",
        ),
        (lambda f: put(f, pixels=CUBE[2][:5]), r"1 slices are of another size than \(7, 9\)"),
    ],
)
def test_read_29_what_is_no_even_stack_is_refused_by_name(
    tmp_path: Path, spoil: Any, words: str
) -> None:
    """I17; READ-29: gaps, duplicates and strangers, each with its file."""
    for at, pixels in enumerate(CUBE):
        write_slice(tmp_path / "ct" / f"{at}.dcm", pixels, at)
    spoil(tmp_path / "ct")
    with pytest.raises(DataError, match=words):
        open_volume(tmp_path / "ct")


def put(folder: Path, at: float = 2, pixels: NDArray[Any] = CUBE[2], **tags: Any) -> None:
    write_slice(folder / "2.dcm", pixels, at, **tags)


def test_read_29_rounded_positions_are_even(tmp_path: Path) -> None:
    """Positions to a tenth of a mm, of slices 0.625 mm apart."""
    for at in range(9):
        place = [0.0, 0.0, round(at * 0.625, 1)]
        write_slice(tmp_path / "ct" / f"{at}.dcm", CUBE[0], at, ImagePositionPatient=place)
    assert open_volume(tmp_path / "ct").shape == (9, 7, 9)


def test_read_29_series_and_nifti_labels_are_pairs_and_are_predicted_alike(tmp_path: Path) -> None:
    """READ-29: training and prediction find and read the same folder."""
    for case in ("a", "b"):
        affine = write_series(tmp_path / case / "ct", CUBE, seed=ord(case))
        label = nibabel.Nifti1Image((CUBE > 500).astype(np.uint8), affine)
        nibabel.save(nibabel.as_closest_canonical(label), tmp_path / case / "label.nii.gz")
    data = VolumePairs(image="ct", target="label.nii.gz")
    cases = data.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["a", "b"]
    for case in cases:
        image = read_all(case.image)
        assert case.image.axes == "xyz"
        np.testing.assert_array_equal(read_all(case.target), image > 500)
    listed = list(data.inputs(tmp_path))
    assert [one.id for one in listed] == ["a", "b"]
    (alone,) = data.inputs(tmp_path / "b" / "ct")
    np.testing.assert_array_equal(
        read_all(data.open_image(alone.path, alone.id)), read_all(cases[1].image)
    )


def test_read_29_a_folder_is_a_series_only_where_volumes_are_asked_for(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", CUBE)
    assert is_volume(tmp_path / "ct")
    assert not is_image(tmp_path / "ct")
    assert len(list(images_below(tmp_path))) == len(CUBE)
    assert look_below(tmp_path, volumes=True).images == [tmp_path / "ct"]
    (tmp_path / "ct" / "note.txt").write_text("a note")
    assert not is_volume(tmp_path / "ct")


def test_read_29_files_without_a_suffix_are_found_by_their_content(tmp_path: Path) -> None:
    """READ-29: IM0001 and names that are UIDs; other files without a suffix are not images."""
    names = ["IM0001", "1.2.840.77", "1.2.840.78"]
    for at, name in enumerate(names):
        write_slice(tmp_path / "images" / name, CUBE[at], at)
    (tmp_path / "images" / "README").write_text("no image")
    below = look_below(tmp_path / "images")
    assert sorted(path.name for path in below.images) == sorted(names)
    assert [one.path.name for one in below.passed] == ["README"]
    assert [stem_of(Path(name)) for name in names] == names
    siim = CsvRle(dialect="siim")
    assert {one.id for one in siim.images_in(tmp_path)} == set(names)
    for name in names:
        np.save(tmp_path / "images" / f"{name}.npy", np.zeros(1))
        (tmp_path / "images" / f"{name}.npy").unlink()
        (tmp_path / "masks").mkdir(exist_ok=True)
        np.save(tmp_path / "masks" / f"{name}.npy", np.zeros((7, 9), np.uint8))
    assert {case.id for case in Folder().open(tmp_path, BINARY).cases} == set(names)
    assert read_again(tmp_path / "images" / "IM0001").ImagePositionPatient == place_of(0)
