"""Clean images as pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.data.catalogs import Corrupt
from lamina.data.corruptions import Gaussian
from lamina.data.units import with_unit
from lamina.data.views.corrupted import Corrupted
from lamina.errors import DataError, RecipeError
from lamina.task import Task
from lamina.volume import read_all

RESTORE = Task(kind="restore")
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)


def put(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    cv2.imwrite(str(folder / "b.png"), PIXELS)
    cv2.imwrite(str(folder / "sub" / "a.png"), 255 - PIXELS)
    np.save(folder / "cube.npy", np.zeros((4, 5, 6), np.float32))
    return folder


def test_the_target_is_the_file_and_the_image_is_it_with_noise(tmp_path: Path) -> None:
    listing = Corrupt(pattern="*.png", noise=(Gaussian(sigma=15),)).open(put(tmp_path), RESTORE)
    assert [case.id for case in listing.cases] == ["b", "sub/a"]
    assert listing.names == ("value",)
    first = listing.cases[0]
    assert first.target is not None
    np.testing.assert_array_equal(read_all(first.target)[0], PIXELS)
    assert read_all(first.image).dtype == np.float32
    assert (read_all(first.image)[0] - PIXELS).std() == pytest.approx(15, rel=0.1)
    assert first.files == (str(tmp_path / "b.png"),)
    assert with_unit(RESTORE, listing.cases).unit == 255


def test_noise_follows_from_seed_and_id(tmp_path: Path) -> None:
    put(tmp_path)
    one, again, other = (
        read_all(Corrupt(pattern="*.png", seed=seed).open(tmp_path, RESTORE).cases[0].image)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_volumes_and_images_of_one_folder(tmp_path: Path) -> None:
    put(tmp_path)
    cases = Corrupt().open(tmp_path, RESTORE).cases
    assert {case.id: case.image.axes for case in cases} == {"b": "yx", "cube": "zyx", "sub/a": "yx"}
    assert all(isinstance(case.image, Corrupted) for case in cases)
    assert [case.id for case in Corrupt(images="sub").open(tmp_path, RESTORE).cases] == ["a"]


def test_other_tasks_and_patterns_without_a_file_are_refused(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(RecipeError, match=r"set task\.kind to restore"):
        Corrupt().open(tmp_path, Task())
    with pytest.raises(DataError, match=r"set data\.pattern"):
        Corrupt(pattern="*.tif").open(tmp_path, RESTORE)
