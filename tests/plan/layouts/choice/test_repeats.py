"""A table that only repeats masks of folders is no question; one that says more is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamina.errors import LayoutError
from lamina.plan.layouts import chosen, matches_of
from lamina.plan.layouts.choice.repeats import without_repeats
from lamina.plan.tree import Tree
from lamina.rle.codec import Code, encode
from tests.factories.data_folders import class_folders, folder, save

WHERE = "folder/masks/{class}/{id}.png"


def mask_of(root: Path, place: str, k: int) -> Any:
    return np.asarray(Image.open(root / f"masks/{place}/{k:02d}.png")) > 0


def table(root: Path, *places: str, dialect: Code = "siim") -> None:
    """Write the masks of places as the classes of a table."""
    rows = ["ImageId,EncodedPixels" if dialect == "siim" else "ImageId,ClassId,EncodedPixels"]
    for k in range(6):
        for number, place in enumerate(places, 1):
            mask = mask_of(root, place, k)
            if dialect == "siim":
                rows.append(f"{k:02d},{encode(mask, 'siim') if mask.any() else '-1'}")
            elif mask.any():
                rows.append(f"{k:02d}.png,{number},{encode(mask, 'severstal')}")
    (root / "train-rle-disc.csv").write_text("\n".join(rows))


def test_the_folders_are_taken_and_the_table_can_be_named(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(tmp_path / "masks/disc/03.png", np.zeros((72, 72), np.uint8))
    table(tmp_path, "disc")
    match = chosen(Tree.of(tmp_path), None)
    assert match.choice == WHERE
    assert match.notes == (
        "train-rle-disc.csv repeats disc of masks/{class}/{id}.png in all 6 images; --layout csv "
        "plans for it alone",
    )
    assert chosen(Tree.of(tmp_path), "csv").task == {"kind": "binary", "names": ["disc"]}


def test_several_classes_of_a_table(tmp_path: Path) -> None:
    class_folders(tmp_path)
    table(tmp_path, "ring", "disc", dialect="severstal")
    (note,) = chosen(Tree.of(tmp_path), None).notes
    assert "repeats ring, disc of" in note


def test_a_folder_without_classes(tmp_path: Path) -> None:
    folder(tmp_path)
    table(tmp_path, ".")
    match = chosen(Tree.of(tmp_path), None)
    assert match.choice == "folder/masks"
    assert "train-rle-disc.csv repeats masks in all 6 images" in match.notes[0]


@pytest.mark.parametrize("what", ["pixel", "empty", "image", "values"])
def test_a_table_that_says_something_else_is_a_question(tmp_path: Path, what: str) -> None:
    class_folders(tmp_path)
    table(tmp_path, "disc")
    mask = mask_of(tmp_path, "disc", 5).astype(np.uint8) * 255
    if what == "pixel":
        mask[0, 0] = 255
        save(tmp_path / "masks/disc/05.png", mask)
    elif what == "empty":  # the table shows nothing at all
        save(tmp_path / "masks/disc/05.png", mask * 0)
        rows = ["ImageId,EncodedPixels", *(f"{k:02d},-1" for k in range(6))]
        (tmp_path / "train-rle-disc.csv").write_text("\n".join(rows))
    elif what == "image":  # without masks in the folders, and empty by the table
        save(tmp_path / "images/06.png", mask)
        for place in ("disc", "ring"):
            shutil.copy(tmp_path / f"masks/{place}/05.png", tmp_path / f"masks/{place}/07.png")
    else:
        mask[tuple(np.argwhere(mask)[0])] = 3  # no mask of one class
        save(tmp_path / "masks/disc/05.png", mask)
    found = [one for one in matches_of(Tree.of(tmp_path)) if one.asked]
    assert without_repeats(Tree.of(tmp_path), found) == found
    if len(found) > 1:
        with pytest.raises(LayoutError, match=r"ways; choose one"):
            chosen(Tree.of(tmp_path), None)


def test_what_is_compared_is_bounded_and_said(tmp_path: Path) -> None:
    class_folders(tmp_path)
    table(tmp_path, "disc")
    tree = Tree.of(tmp_path)
    found = [one for one in matches_of(tree) if one.asked]
    (match,) = without_repeats(tree, found, most=3 * 3 * 72 * 72)
    assert "in 3 of 6 images, which were compared" in match.notes[0]
