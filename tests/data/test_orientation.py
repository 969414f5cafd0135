"""READ-2: one orientation for image and target, as nibabel turns them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.catalogs import Folder, VolumePairs
from lamina.data.orientation import aligned, canonical, is_turned, letters_of
from lamina.data.readers import open_volume
from lamina.errors import DataError
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume, placement_of, read_all

BINARY = Task(kind="binary", names=("spot",))


def volume(seed: int = 0, shape: tuple[int, ...] = (16, 20, 8)) -> NDArray[Any]:
    return rng(seed, "volume").integers(-1000, 1000, shape).astype(np.int16)


def affine(seed: int) -> NDArray[Any]:
    generator = rng(seed, "affine")
    found = np.eye(4)
    q, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    found[:3, :3] = q * generator.uniform(0.5, 4, 3)
    found[:3, 3] = generator.normal(0, 50, 3)
    return found


def save(path: Path, array: NDArray[Any], matrix: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, matrix)
    nibabel.save(image, path)
    return path


def case_of(root: Path, **options: Any) -> Any:
    data = VolumePairs(image="image.nii", target="label.nii", **options)
    (case,) = data.open(root, BINARY).cases
    return case


@pytest.mark.parametrize("seed", range(12))
def test_read_2_volumes_are_turned_as_nibabel_turns_them(tmp_path: Path, seed: int) -> None:
    path = save(tmp_path / "a.nii.gz", volume(seed, (5, 6, 7)), affine(seed))
    found, twin = canonical(open_volume(path)), nibabel.as_closest_canonical(nibabel.load(path))
    np.testing.assert_array_equal(read_all(found)[0], np.asarray(twin.dataobj))
    grid = placement_of(found).grid
    assert grid is not None
    np.testing.assert_allclose(grid, twin.affine[:3], atol=1e-3)
    assert (found.axes, letters_of(found)) == ("xyz", "RAS")
    assert letters_of(open_volume(path)) == "".join(nibabel.aff2axcodes(nibabel.load(path).affine))


def test_read_2_the_case_of_the_report_overlaps_wholly(tmp_path: Path) -> None:
    """READ-2: 96 of 96 voxels, where none did."""
    array = np.zeros((16, 20, 8), np.int16)
    array[2:6, 3:9, 1:5] = 1
    matrix = np.diag([-2.0, 2, 2, 1])
    save(tmp_path / "image.nii", array, matrix)
    label = nibabel.Nifti1Image(array.astype(np.uint8), matrix)
    nibabel.save(nibabel.as_closest_canonical(label), tmp_path / "label.nii")
    case = case_of(tmp_path)
    image, target = read_all(case.image)[0], read_all(case.target)[0]
    assert int(((image > 0) & (target > 0)).sum()) == int((array > 0).sum()) == 96
    stored = case_of(tmp_path, orientation="as_stored")
    assert int(((read_all(stored.image) > 0) & (read_all(stored.target) > 0)).sum()) == 0


@pytest.mark.parametrize("seed", range(12))
def test_read_2_a_label_in_any_of_48_orders_is_brought_to_its_image(
    tmp_path: Path, seed: int
) -> None:
    """READ-2: of oblique volumes too; training and prediction read the image alike."""
    generator = rng(seed, "order")
    array = volume(seed, (5, 6, 7))
    label = nibabel.Nifti1Image((array > 300).astype(np.uint8), affine(seed))
    codes = np.stack([generator.permutation(3), generator.choice([-1, 1], 3)], 1).astype(float)
    save(tmp_path / "image.nii", array, affine(seed))
    nibabel.save(label.as_reoriented(codes), tmp_path / "label.nii")
    case = case_of(tmp_path)
    image = read_all(case.image)
    np.testing.assert_array_equal(read_all(case.target), image > 300)
    data = VolumePairs(image="image.nii", target="label.nii")
    np.testing.assert_array_equal(read_all(data.open_image(tmp_path / "image.nii")), image)


def test_read_2_a_label_without_a_place_lies_as_its_image_is_stored(tmp_path: Path) -> None:
    array = volume(3)
    save(tmp_path / "image.nii", array, np.diag([-1.0, -1, 2, 1]))
    plain = nibabel.Nifti1Image((array > 0).astype(np.uint8), None)
    nibabel.save(plain, tmp_path / "label.nii")
    case = case_of(tmp_path)
    np.testing.assert_array_equal(read_all(case.target), read_all(case.image) > 0)
    np.save(tmp_path / "label.npy", (array > 0).astype(np.uint8))
    data = VolumePairs(image="image.nii", target="label.npy", target_axes="xyz")
    (case,) = data.open(tmp_path, BINARY).cases
    np.testing.assert_array_equal(read_all(case.target), read_all(case.image) > 0)
    wrong = VolumePairs(image="image.nii", target="label.npy")
    with pytest.raises(DataError, match=r"image is xyz .*, target is zyx"):
        wrong.open(tmp_path, BINARY)


def test_read_2_files_that_say_nothing_stay_as_they_are(tmp_path: Path) -> None:
    array = volume()
    nibabel.save(nibabel.Nifti1Image(array, None), tmp_path / "a.nii")
    found = canonical(open_volume(tmp_path / "a.nii"))
    assert not is_turned(found)
    np.testing.assert_array_equal(read_all(found)[0], array)
    held = ArrayVolume(array[None], "zyx")
    assert canonical(held) is held
    assert aligned(held, held, "a") is held


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m @ np.diag([1, 1, 1.25, 1]), r"spacing \(1, 1, 2.5\) mm"),
        (lambda m: m + shift(0.5), r"origin \(0.5, 0, 0\)"),
        (lambda m: rotated(m, 3), "do not lie in the same place"),
    ],
)
def test_read_2_other_places_are_refused_with_both(tmp_path: Path, change: Any, words: str) -> None:
    """I15; READ-2: the message holds both spacings and origins, and a remedy that works."""
    array, matrix = volume(), np.diag([1.0, 1, 2, 1])
    save(tmp_path / "image.nii", array, matrix)
    save(tmp_path / "label.nii", (array > 0).astype(np.uint8), change(matrix))
    with pytest.raises(DataError, match=words) as caught:
        case_of(tmp_path)
    text = str(caught.value)
    assert text.splitlines()[0].startswith("case image: image and target do not lie in the same")
    assert "spacing (1, 1, 2) mm, origin (0, 0, 0)" in text
    assert "data.orientation to as_stored" in text
    case = case_of(tmp_path, orientation="as_stored")
    np.testing.assert_array_equal(read_all(case.target), array[None] > 0)


def shift(mm: float) -> NDArray[Any]:
    found = np.zeros((4, 4))
    found[0, 3] = mm
    return found


def rotated(matrix: NDArray[Any], degrees: float) -> NDArray[Any]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    turn[:2, :2] = [[c, -s], [s, c]]
    return np.asarray(turn @ matrix)


def test_read_2_rounding_of_headers_is_no_other_place(tmp_path: Path) -> None:
    array = volume(1, (512, 4, 4))
    save(tmp_path / "image.nii", array, np.diag([0.703125, 0.703125, 3, 1]))
    save(tmp_path / "label.nii", (array > 0).astype(np.uint8), np.diag([0.70313, 0.70313, 3, 1]))
    assert case_of(tmp_path).image.shape == array.shape


def test_read_2_planes_of_a_body_are_not_turned_but_masks_are_brought_to_them(
    tmp_path: Path,
) -> None:
    array = volume(2, (9, 7))
    matrix = np.diag([-2.0, 2, 2, 1])
    save(tmp_path / "images" / "a.nii", array, matrix)
    label = (array > 0).astype(np.uint8)[::-1]
    mirrored = matrix @ np.array([[-1, 0, 0, 8], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    save(tmp_path / "masks" / "a.nii", label, mirrored)
    (case,) = Folder().open(tmp_path, BINARY).cases
    assert case.image.axes == "xy"
    np.testing.assert_array_equal(read_all(case.image)[0], array)
    np.testing.assert_array_equal(read_all(case.target), read_all(case.image) > 0)


def test_read_2_a_transposed_image_is_laid_as_the_recipe_says(tmp_path: Path) -> None:
    """An image that data.transpose names is not turned by its header, which is wrong then."""
    array = volume(4, (5, 6, 7))
    save(tmp_path / "image.nii", array.transpose(2, 0, 1), np.diag([-1.0, 1, 1, 1]))
    save(tmp_path / "label.nii", (array > 0).astype(np.uint8), np.diag([1.0, 1, 1, 1]))
    case = case_of(tmp_path, transpose={"image": [1, 2, 0]})
    np.testing.assert_array_equal(read_all(case.image)[0], array)
    np.testing.assert_array_equal(read_all(case.target)[0], array > 0)
