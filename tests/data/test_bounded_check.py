"""What training would refuse in pixels is found beforehand, at a bounded cost (WORK-8, WORK-17)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lamina.data.bounded_check import check_cases
from lamina.data.case import Case
from lamina.data.catalogs import Folder, VolumePairs
from lamina.data.network_input.frame import Frame, Slices
from lamina.data.network_input.normalise import DatasetStats, Fixed
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.task import Task
from lamina.volume import ArrayVolume

SLICES = Frame(slices=Slices())


def volumes(root: Path, *labels: NDArray[Any]) -> Path:
    for number, label in enumerate(labels):
        folder = root / f"v{number}"
        folder.mkdir(parents=True)
        np.save(folder / "raw.npy", np.zeros(label.shape, np.uint8))
        np.save(folder / "labels.npy", label)
    return root


def test_WORK_8_a_value_without_a_class_in_a_label_volume_is_found(tmp_path: Path) -> None:
    nine = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6) % 9
    root = volumes(tmp_path, nine, nine % 2, nine)
    catalog = VolumePairs(image="raw.npy", target="labels.npy")
    cases = catalog.open(root, Task()).cases
    with pytest.raises(DataError) as caught:
        check_cases(cases, SLICES)
    said = str(caught.value)
    assert said.startswith("2 cases cannot be used")
    assert "v0/labels.npy" in said
    assert "7 values that are no class" in said
    assert "v1" not in said
    sound = VolumePairs(image="raw.npy", target="labels.npy", labels={0: 0, "others": 1})
    assert check_cases(sound.open(root, Task()).cases, SLICES) == []


@dataclass(frozen=True)
class Counting(ArrayVolume):
    """An array that remembers how much of it was read, and where."""

    read_at: list[Region] = field(default_factory=list)

    def read(self, region: Region) -> NDArray[Any]:
        self.read_at.append(region)
        return super().read(region)


def test_WORK_8_what_is_read_of_large_labels_is_bounded_spread_and_said() -> None:
    shape = (64, 256, 256)
    image = ArrayVolume(np.zeros((1, *shape), np.uint8), axes="zyx")
    target = Counting(np.zeros((1, *shape), np.uint8), axes="zyx")
    case = Case("a", "a", image, target)
    budget = 1 << 18
    of_images, said = check_cases([case], SLICES, voxels=budget)
    assert of_images.startswith("1 of 1 image volumes were read in part")
    count = sum(int(np.prod(region.shape)) for region in target.read_at)
    assert count <= budget
    assert said == (
        "1 of 1 label volumes were read in part or not at all, 6.2% in all; `lamina doctor` reads "
        "all"
    )
    target.read_at.clear()
    check_cases([case], SLICES, voxels=1 << 22)
    assert sum(int(np.prod(region.shape)) for region in target.read_at) == np.prod(shape)
    target.read_at.clear()
    check_cases([case] * 4, SLICES, voxels=1 << 22)
    rows = [region.start[0] for region in target.read_at]
    assert min(rows) < 16
    assert max(rows) > 40  # not the first part alone


def test_WORK_8_volumes_that_the_frame_cannot_cut_are_refused() -> None:
    volume = ArrayVolume(np.zeros((1, 3, 4, 5), np.uint8), axes="zyx")
    with pytest.raises(RecipeError, match=r"set frame\.slices"):
        check_cases([Case("a", "a", volume, volume)], Frame())


def test_WORK_17_channels_of_volumes_are_those_of_the_frame_or_grey() -> None:
    rng, target = np.random.default_rng(0), ArrayVolume(np.zeros((1, 3, 4, 5), np.uint8), "zyx")
    two = rng.integers(0, 255, (2, 3, 4, 5), np.uint8)
    apart = Case("a", "a", ArrayVolume(two, "zyx", "a.nii"), target)
    with pytest.raises(DataError, match=r"a\.nii: its 2 channels differ"):
        check_cases([apart], SLICES)
    with pytest.raises(DataError, match=r"a\.nii.*: has 2 channels, and frame\.channels is 3"):
        check_cases([apart], Frame(slices=Slices(), channels=3))
    assert check_cases([apart], Frame(slices=Slices(), channels=2)) == []
    grey = ArrayVolume(np.repeat(two[:1], 2, axis=0), "zyx")
    assert check_cases([Case("a", "a", grey, target)], SLICES) == []


def images(root: Path, *pixels: NDArray[Any]) -> Path:
    for number, one in enumerate(pixels):
        for folder, array in (("images", one), ("masks", np.eye(8, dtype=np.uint8))):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{number}.png")
    return root


GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)
RGB = np.repeat(GREY[..., None], 3, axis=2)


def test_WORK_17_colour_files_that_are_grey_are_read_as_grey_in_check_and_training(
    tmp_path: Path,
) -> None:
    mixed = Folder().open(images(tmp_path / "a", GREY, RGB, GREY + 9), Task()).cases
    alone = Folder().open(images(tmp_path / "b", GREY, GREY, GREY + 9), Task()).cases
    assert check_cases(mixed, Frame()) == []
    found, wanted = DatasetStats().fit(mixed), DatasetStats().fit(alone)
    assert isinstance(found, Fixed)
    assert found == wanted
    assert found.mean == pytest.approx(np.concatenate([GREY, GREY, GREY + 9]).mean())
    whole = Region((0, 0), (8, 8))
    np.testing.assert_array_equal(
        Frame().read(mixed[1].image, whole), Frame().read(mixed[0].image, whole)
    )


def test_WORK_17_grey_among_colours_counts_in_all_channels(tmp_path: Path) -> None:
    colour = RGB * np.array([1, 2, 3], np.uint8)
    cases = Folder().open(images(tmp_path, GREY, colour, RGB), Task()).cases
    fixed = DatasetStats().fit(cases)
    assert isinstance(fixed, Fixed)
    every = np.concatenate([RGB, colour, RGB]).reshape(-1, 3)
    assert fixed.mean == pytest.approx(tuple(every.mean(0)))
    assert fixed.std == pytest.approx(tuple(every.std(0)))


def test_WORK_16_colours_in_a_grey_recipe_are_found_by_check_with_a_remedy(tmp_path: Path) -> None:
    colour = RGB * np.array([1, 1, 2], np.uint8)
    cases = Folder().open(images(tmp_path, GREY, colour), Task()).cases
    with pytest.raises(DataError, match=r"save it in grey, or train with -s frame\.channels=3"):
        check_cases(cases, Frame())
    assert check_cases(cases, Frame(channels=3)) == []
