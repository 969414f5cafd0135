"""Data opened for training: volumes that are slow to slice are read from copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from lamina.recipe.load import load_recipe
from lamina.training.dataset import open_data
from lamina.volume import read_all

CUBE = np.random.default_rng(0).integers(0, 256, (6, 16, 16), np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, array in (("raw", CUBE), ("labels", CUBE // 128 * 255)):
        path = tmp_path / "data" / f"{name}.zarr"
        zarr.create_array(path, shape=array.shape, chunks=(2, 8, 8), dtype="u1")[...] = array
    return tmp_path / "data"


@pytest.mark.parametrize(("unpack", "copies"), [("once", 2), ("never", 0)])
def test_packed_volumes_are_unpacked_unless_the_recipe_says_never(
    root: Path, tmp_path: Path, unpack: str, copies: int
) -> None:
    changes = [
        f"data={{kind: volume_pairs, image: raw.zarr, target: labels.zarr, unpack: {unpack}}}",
        "split={kind: sections, train: [[0, 4]], validate: [[4, 6]]}",
    ]
    opened = open_data(load_recipe("volume-laptop", changes), root)
    seen = opened.prepared(tmp_path / "run")
    assert len(list((tmp_path / "run" / "unpacked").glob("*.npy"))) == copies
    assert seen.folds == opened.folds
    spans = [slice(0, 4), slice(4, 6)]
    for case, before, span in zip(seen.cases, opened.cases, spans, strict=True):
        assert case.target is not None
        assert (case.id, case.image.name, case.files) == (
            before.id,
            before.image.name,
            before.files,
        )
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE[span])
        np.testing.assert_array_equal(read_all(case.target)[0], CUBE[span] // 128)


def test_ranges_of_stretched_volumes_are_measured_once_in_a_run(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, array in (("raw", CUBE.astype(np.float32)), ("labels", CUBE // 128 * 255)):
        np.save(root / f"{name}.npy", array)
    changes = [
        "data={kind: volume_pairs, image: raw.npy, target: labels.npy, stretch: {to: byte}}",
        "split={kind: sections, train: [[0, 4]], validate: [[4, 6]]}",
    ]
    recipe = load_recipe("volume-laptop", changes)
    first = open_data(recipe, root).prepared(tmp_path / "run")
    monkeypatch.delattr("lamina.data.views.rescaled.extremes")  # nothing is measured again
    again = open_data(recipe, root).prepared(tmp_path / "run")
    stretched = ((CUBE - CUBE.min()) / np.float32(np.ptp(CUBE)) * 255).astype(np.uint8)
    for opened in (first, again):
        for case, span in zip(opened.cases, (slice(0, 4), slice(4, 6)), strict=True):
            np.testing.assert_array_equal(read_all(case.image)[0], stretched[span])


def test_pairs_that_are_too_far_apart_are_left_out_after_folds_are_assigned(
    tmp_path: Path,
) -> None:
    """NOISE-3: SSIM > 0.7; the folds are those of all pairs."""
    chance = np.random.default_rng(0)
    clean = np.cumsum(chance.standard_normal((8, 12, 40)), axis=-1).astype(np.float32)
    for number in range(4):
        (tmp_path / f"v{number}").mkdir()
        noise = chance.standard_normal(clean.shape) * (50 if number == 1 else 0.1)
        np.save(tmp_path / f"v{number}" / "raw.npy", (clean + noise).astype(np.float32))
        np.save(tmp_path / f"v{number}" / "clean.npy", clean)
    data = "data={kind: volume_pairs, image: raw.npy, target: clean.npy%s}"
    changes = ["task={kind: restore}", "split={kind: folds, count: 2}", "loss=[{kind: mse}]"]
    changes += ["monitor={kind: mse}", "metric={kind: psnr}", "decide={kind: as_is}"]
    every = open_data(load_recipe("volume-laptop", [data % "", *changes]), tmp_path)
    option = data % ", prepare: {kind: quality, above: 0.7}"
    opened = open_data(load_recipe("volume-laptop", [option, *changes]), tmp_path)
    assert [case.id for case in opened.cases] == ["v0", "v2", "v3"]
    assert list(opened.quality) == ["v0", "v1", "v2", "v3"]
    assert opened.quality["v1"] < 0.7 < min(opened.quality[one] for one in ("v0", "v2", "v3"))
    folds = {case.id: fold for case, fold in zip(every.cases, every.folds, strict=True)}
    assert opened.folds == [folds[case.id] for case in opened.cases]
    assert "1 of 4 pairs left out by data.prepare" in opened.lines()[1]


def test_READ_1_files_that_are_not_read_are_said(tmp_path: Path) -> None:
    """Masks as GIF would count as images without the class, were nothing said."""
    for number in range(4):
        for folder, suffix in (("images", "png"), ("masks", "gif" if number < 2 else "png")):
            path = tmp_path / folder / f"{number}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.eye(8, dtype=np.uint8)).save(path)
    changes = ["data.missing=empty", "split.count=2", "data.labels={0: 0, 1: 1, 255: 1}"]
    opened = open_data(load_recipe("folder-laptop", changes), tmp_path)
    (line,) = [line for line in opened.lines() if "not read" in line]
    assert line.startswith("warning: 2 files are not read")
    assert "0.gif has a suffix of no type that is read" in line
    assert len(opened.summary()["not_read"]) == 2


def test_READ_10_pixels_without_data_do_not_count(tmp_path: Path) -> None:
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    image[:3, :5] = -9999
    for number in range(4):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(
            tmp_path / "images" / f"{number}.tif",
            image + number * (image >= 0),
            extratags=[(42113, "s", 0, "-9999", True)],
        )
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    changes = ["split.count=2", "data.labels={0: 0, 1: 1, 255: 1}"]
    opened = open_data(load_recipe("folder-laptop", changes), tmp_path)
    for case in opened.cases:
        assert case.valid is not None
        np.testing.assert_array_equal(read_all(case.valid)[0], image >= 0)
    assert any("4 images have pixels without data" in line for line in opened.warnings())
