"""Labels that lie mirrored on their images are found, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lamina.doctor.checks.mirrored import Mirrored
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Finding
from lamina.doctor.open_data import examine_data
from lamina.recipe.load import load_recipe
from lamina.synthetic.seismic import volume
from lamina.synthetic.steel import strip
from tests.factories.patients import patient, said, texture, write

BACK, ON = slice(None, None, -1), slice(None)
TURNS = {"y": (BACK, ON), "x": (ON, BACK), "y and x": (BACK, BACK)}


def strips(root: Path, turn: Any) -> Path:
    images, masks = {}, {}
    for k in range(24):
        image, classes = strip(k, seed=5, shape=(64, 96))
        images[f"{k}.png"], masks[str(k)] = image, classes.any(0).astype(np.uint8)[turn].copy()
    return write(root, images, masks)


@pytest.mark.parametrize("axes", TURNS)
def test_masks_that_are_mirrored_are_found_with_their_axes(tmp_path: Path, axes: str) -> None:
    one = patient(strips(tmp_path, TURNS[axes]))
    (found,) = said(Mirrored(), one)
    assert found.level == "error"
    assert f"better with {axes} run backwards" in found.what


def test_masks_in_their_place_and_masks_of_nothing_are_fine(tmp_path: Path) -> None:
    assert said(Mirrored(), patient(strips(tmp_path / "a", ...))) == []
    unrelated = {f"{k}.png": texture(k) for k in range(24)}
    masks = {str(k): (texture(1000 + k) > 150).astype(np.uint8) for k in range(24)}
    assert said(Mirrored(), patient(write(tmp_path / "b", unrelated, masks))) == []


def volumes(root: Path, flip: int | None) -> list[Finding]:
    root.mkdir()
    image, label = volume(3, seed=11, shape=(64, 64, 64))
    if flip is not None:
        label = np.flip(label, flip)
    tifffile.imwrite(root / "raw.tif", image)
    tifffile.imwrite(root / "labels.tif", np.ascontiguousarray(label).astype(np.uint8))
    recipe = load_recipe("volume-laptop", ["data.labels=null", "data.target=labels.tif"])
    return said(Mirrored(), examine_data(Examined(recipe=recipe), root)[0])


def test_a_volume_is_judged_by_itself(tmp_path: Path) -> None:
    assert volumes(tmp_path / "right", None) == []
    (found,) = volumes(tmp_path / "wrong", 1)
    assert found.where == "case raw"
    assert "better with y run backwards" in found.what
