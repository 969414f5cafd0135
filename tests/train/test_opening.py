"""Data opened for training: volumes that are slow to slice are read from copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from lamina.recipe.load import load_recipe
from lamina.train.opening import open_data
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
    monkeypatch.delattr("lamina.data.stretch.extremes")  # nothing is measured again
    again = open_data(recipe, root).prepared(tmp_path / "run")
    stretched = ((CUBE - CUBE.min()) / np.float32(np.ptp(CUBE)) * 255).astype(np.uint8)
    for opened in (first, again):
        for case, span in zip(opened.cases, (slice(0, 4), slice(4, 6)), strict=True):
            np.testing.assert_array_equal(read_all(case.image)[0], stretched[span])
