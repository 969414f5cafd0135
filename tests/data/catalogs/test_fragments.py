"""Fragments as cases: stacks, masks, ink, and parts of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from lamina.data.catalogs import Fragments
from lamina.data.catalogs.fragment_parts import parts_of
from lamina.data.flatten import Flatten
from lamina.data.splits import Folds
from lamina.data.targets.bitmask import Bits, bits_of
from lamina.data.views.layers import Layers
from lamina.errors import DataError, OptionError, RecipeError
from lamina.geometry.region import Region
from lamina.recipe.load import load_recipe
from lamina.task import Task
from lamina.training.dataset import open_data
from lamina.volume import ArrayVolume, read_all

SHAPE = (8, 60, 50)


def layers(seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, SHAPE).astype(np.uint16)


def ellipse(rows: int = SHAPE[1], columns: int = SHAPE[2]) -> NDArray[np.uint8]:
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return np.asarray((y**2 + x**2 < 0.8) * 255, np.uint8)


def write(root: Path, name: str, *, seed: int = 0, labels: bool = True) -> Path:
    folder = root / name
    (folder / "surface_volume").mkdir(parents=True)
    for number, layer in enumerate(layers(seed)):
        tifffile.imwrite(folder / "surface_volume" / f"{number:02d}.tif", layer)
    cv2.imwrite(str(folder / "mask.png"), ellipse())
    if labels:
        ink = np.zeros(SHAPE[1:], np.uint8)
        ink[20:30, 10:40] = 255
        cv2.imwrite(str(folder / "inklabels.png"), ink)
    return folder


def test_a_fragment_is_an_image_of_its_layers_with_ink_inside_a_mask(tmp_path: Path) -> None:
    """INK-1."""
    for name in ("1", "2"):
        write(tmp_path, name, seed=int(name))
    listing = Fragments(layers=(2, 6)).open(tmp_path, Task())
    assert listing.names == ("ink",)
    first, second = listing.cases
    assert (first.id, first.group, second.id) == ("1", "1", "2")
    assert (first.image.axes, first.image.shape, first.image.channels) == ("yx", (60, 50), 4)
    np.testing.assert_array_equal(read_all(second.image), layers(2)[2:6])
    assert first.target is not None
    assert first.valid is not None
    np.testing.assert_array_equal(read_all(first.valid)[0], ellipse() > 0)
    assert read_all(first.target).sum() == 300
    assert first.facts["classes"] == "0"
    assert first.facts["area_0"] == 300
    assert first.facts["mask_area"] == (ellipse() > 0).sum()
    assert first.files == (str(tmp_path / "1" / "surface_volume"),)


def test_a_fragment_without_labels_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "1")
    write(tmp_path, "a", labels=False)
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").write_text("papyrus")
    listing = Fragments().open(tmp_path, Task())
    assert [case.id for case in listing.cases] == ["1"]
    assert "a: no 'inklabels.png'; skipped" in capsys.readouterr().err


def test_one_fragment_is_a_data_folder_too(tmp_path: Path) -> None:
    folder = write(tmp_path, "3")
    (case,) = Fragments().open(folder, Task()).cases
    assert (case.id, case.image.channels) == ("3", 8)


@pytest.mark.parametrize("kind", ["zarr", "tif", "npy"])
def test_a_stack_may_be_one_file_or_a_zarr_store(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path, "1")
    for path in (folder / "surface_volume").iterdir():
        path.unlink()
    (folder / "surface_volume").rmdir()
    path = folder / f"surface_volume.{kind}"
    if kind == "zarr":
        store = zarr.create_array(path, shape=SHAPE, dtype="uint16", chunks=(4, 16, 16))
        store[:] = layers()
    elif kind == "tif":
        tifffile.imwrite(path, layers())
    else:
        np.save(path, layers())
    (case,) = Fragments(layers=(0, 3)).open(tmp_path, Task()).cases
    np.testing.assert_array_equal(read_all(case.image), layers()[:3])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "surface_volume" / "03.tif").unlink(), "1 layers are missing"),
        (lambda f: cv2.imwrite(str(f / "mask.png"), ellipse(60, 51)), "valid area is yx"),
        (lambda f: cv2.imwrite(str(f / "inklabels.png"), ellipse(61, 50)), "target is yx"),
        (lambda f: (f / "inklabels.png").unlink(), "none of 1 fragments has"),
        (lambda f: (f / "surface_volume").rename(f / "other"), "give the folder that holds"),
    ],
)
def test_what_is_no_fragment_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(write(tmp_path, "1"))
    with pytest.raises(DataError, match=says):
        Fragments().open(tmp_path, Task())


def test_layers_that_are_not_there_and_tasks_that_are_not_binary_are_refused(
    tmp_path: Path,
) -> None:
    write(tmp_path, "1")
    with pytest.raises(DataError, match=r"has 8 layers, and data.layers is \[2, 9\]"):
        Fragments(layers=(2, 9)).open(tmp_path, Task())
    with pytest.raises(RecipeError, match="set it to binary"):
        Fragments().open(tmp_path, Task(kind="multiclass"))
    with pytest.raises(OptionError, match="first layer and the one after"):
        Fragments(layers=(4, 4))


def test_a_fragment_without_a_mask_counts_whole(tmp_path: Path) -> None:
    (write(tmp_path, "1") / "mask.png").unlink()
    (case,) = Fragments().open(tmp_path, Task()).cases
    assert case.valid is None
    assert case.facts["mask_area"] == 3000
    with pytest.raises(DataError, match="cuts by its area"):
        Fragments(parts={"1": "equal_area"}).open(tmp_path, Task())


def test_three_parts_of_equal_mask_area_in_five_folds(tmp_path: Path) -> None:
    """INK-11."""
    for name in ("1", "2", "3"):
        write(tmp_path, name, seed=int(name))
    listing = Fragments(parts={"2": "equal_area"}).open(tmp_path, Task())
    assert [case.id for case in listing.cases] == ["1", "2a", "2b", "2c", "3"]
    a, b, c = (case for case in listing.cases if case.facts["fragment"] == "2")
    whole = int((ellipse() > 0).sum())
    areas = [int(case.facts["mask_area"]) for case in (a, b, c)]
    assert sum(areas) == whole
    assert max(areas) - min(areas) < 2 * max(SHAPE[1:])  # within a row or column of each other
    assert a.image.shape[1] == SHAPE[2]
    assert b.image.shape[0] == c.image.shape[0] == SHAPE[1] - a.image.shape[0]
    assert b.image.shape[1] + c.image.shape[1] == SHAPE[2]
    stored = layers(2)
    cut, right = a.image.shape[0], b.image.shape[1]
    np.testing.assert_array_equal(read_all(a.image), stored[:, :cut])
    np.testing.assert_array_equal(read_all(c.image), stored[:, cut:, right:])
    cases, folds = Folds(count=5).assign(listing.cases, tmp_path)
    assert sorted(folds) == [0, 1, 2, 3, 4]
    assert {case.group for case in cases} == {"1", "2a", "2b", "2c", "3"}


def test_the_rectangles_of_the_published_split() -> None:
    """INK-11."""
    shares = ((0, 0.45853, 0, 1), (0.45853, 1, 0, 0.52598), (0.45853, 1, 0.52598, 1))
    mask = Bits("m", "yx", (14830, 9506), np.zeros((0, 0), np.uint8))
    found = parts_of(shares, mask, "2")
    assert list(found) == ["a", "b", "c"]
    row, column = 6800, 4999  # 0.45853 x 14830 and 0.52598 x 9506 are 6800.00 and 4999.97
    assert found["a"] == Region((0, 0), (row, 9506))
    assert found["b"] == Region((row, 0), (14830, column))
    assert found["c"] == Region((row, column), (14830, 9506))


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        (((0, 60, 0, 30), (0, 60, 29, 50)), "parts a and b overlap"),
        (((0, 60, 0, 51),), "60 rows and 50 columns"),
    ],
)
def test_parts_that_leave_a_fragment_or_overlap_are_refused(
    boxes: tuple[tuple[float, float, float, float], ...], says: str
) -> None:
    mask = bits_of(ArrayVolume(ellipse()[None], "yx"))
    with pytest.raises(DataError, match=says):
        parts_of(boxes, mask, "2")
    with pytest.raises(DataError, match="too small"):
        parts_of("equal_area", bits_of(ArrayVolume(ellipse()[None] * 0, "yx")), "2")
    with pytest.raises(OptionError, match="is not a rectangle"):
        Fragments(parts={"2": ((0.5, 0.2, 0, 1),)})


def bent(shift: int, seed: int) -> NDArray[np.uint16]:
    """Return a stack whose bright sheet lies ``shift`` layers deeper than the reference's."""
    depth = np.arange(40)[:, None, None] - 18 - shift
    noise = np.random.default_rng(seed).integers(0, 200, (40, *SHAPE[1:]))
    return (20000 + 30000 * np.exp(-((depth / 5.0) ** 2)) + noise).astype(np.uint16)


def test_prepared_fragments_lie_at_the_depth_of_the_reference(tmp_path: Path) -> None:
    """INK-6, INK-10: aligned once and written down, or as each crop is read."""
    for name, shift in (("1", 0), ("2", 5)):
        folder = write(tmp_path / "data", name)
        for number, layer in enumerate(bent(shift, int(name))):
            tifffile.imwrite(folder / "surface_volume" / f"{number:02d}.tif", layer)
    prepare = Flatten(reference="1", slices=(8, 30), tile=32, step=16, shrink=1)
    recipe = load_recipe("folder-laptop").model_copy(
        update={"data": Fragments(layers=(10, 28), prepare=prepare), "split": Folds(count=2)}
    )
    for unpack in ("once", "never"):
        data = recipe.data.model_copy(update={"unpack": unpack})
        opened = open_data(recipe.model_copy(update={"data": data}), tmp_path / "data")
        ready = opened.prepared(tmp_path / "run")
        first, second = (read_all(case.image).astype(float) for case in ready.cases)
        stored = bent(5, 2)[10:28].astype(float)
        assert np.abs(stored - first)[:, 5:-5, 5:-5].mean() > 5000
        assert np.abs(second - first)[:, 5:-5, 5:-5].mean() < 500
        assert isinstance(ready.recipe.data, Fragments)
        assert ready.recipe.data.prepare is not None
        assert ready.recipe.data.prepare.curve is not None
        # A new fragment is aligned without the reference, by the curve that the bundle holds.
        (tmp_path / "data" / "1").rename(tmp_path / "away")
        alone = ready.recipe.data.open_image(tmp_path / "data" / "2" / "surface_volume")
        np.testing.assert_array_equal(read_all(alone), second)
        (tmp_path / "away").rename(tmp_path / "data" / "1")
    assert len(list((tmp_path / "run" / "unpacked").iterdir())) == 2


def test_a_reference_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1")
    with pytest.raises(RecipeError, match="reference is '3'"):
        Fragments(prepare=Flatten(reference="3", slices=(1, 6))).open(tmp_path, Task())


@pytest.mark.data
def test_real_fragments_of_bytes_are_left_out_one_by_one(shared_data: Path) -> None:
    """INK-1."""
    root = shared_data / "surface-volume-standin"
    listing = Fragments().open(root, Task())
    assert [case.id for case in listing.cases] == ["1", "2", "3"]
    shares = [float(case.facts["area_0"]) / (336 * 432) for case in listing.cases]
    assert shares == pytest.approx([0.0896, 0.0562, 0.0411], abs=5e-5)
    for case in listing.cases:
        assert isinstance(case.image, Layers)
        assert (case.image.channels, case.image.dtype) == (20, np.dtype(np.uint8))
        assert case.facts["mask_area"] == 336 * 432
    _, folds = Folds(count=3).assign(listing.cases, root)
    assert sorted(folds) == [0, 1, 2]
