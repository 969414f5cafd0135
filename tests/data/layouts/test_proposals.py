"""Layouts that are plain from the names of files, and what is said and works where they are."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs import Folder
from lamina.data.layouts.proposals import Layout, proposed
from lamina.errors import DataError
from lamina.recipe.load import load_recipe
from lamina.task import Task


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(path)
    return root


def many(pattern: str, *ids: str) -> list[str]:
    return [pattern.replace("#", id) for id in ids or ("000", "001", "002", "010")]


LAYOUTS = {
    "suffixed masks": (
        [*many("images/#.png"), *many("masks/#_mask.png")],
        ("images", "masks/{id}_mask.png"),
    ),
    "one of each": (["images/cat.jpg", "masks/cat_mask.png"], ("images", "masks/{id}_mask.png")),
    "train": (
        [*many("train/images/#.png"), *many("train/masks/#.png")],
        ("train/images", "train/masks"),
    ),
    "carvana": (
        [*many("train/car_#.jpg"), *many("train_masks/car_#_mask.png")],
        ("train", "train_masks/{id}_mask.png"),
    ),
    "common stem": ([*many("#_im.tif"), *many("#_mask.png")], ("{id}_im.tif", "{id}_mask.png")),
    "side by side": (
        [*many("#.jpg"), *many("#_segmentation.png")],
        ("{id}.jpg", "{id}_segmentation.png"),
    ),
    "prefixed": ([*many("imgs/img_#.png"), *many("gt/gt_#.png")], None),
    "images in the folder itself": (
        [*many("#.png"), *many("masks/#.png")],
        ("{id}.png", "masks"),
    ),
    "numbers with one end": (
        [*many("images/im#.png", "010", "020"), *many("masks/im#_m.png", "010", "020")],
        ("images", "masks/{id}_m.png"),
    ),
    "voc": (
        [*many("JPEGImages/#.jpg"), *many("SegmentationClass/#.png")],
        ("JPEGImages", "SegmentationClass"),
    ),
    "medical": ([*many("imagesTr/#.nii.gz"), *many("labelsTr/#.nii.gz")], ("imagesTr", "labelsTr")),
    "a folder per class": (
        [*many("images/#.png"), *many("masks/car/#.png"), *many("masks/road/#.png", "000", "010")],
        ("images", "masks/{class}/{id}.png"),
    ),
    "classes in names": (
        [*many("images/#.png"), *many("masks/#_car.png"), *many("masks/#_road.png", "000", "010")],
        ("images", "masks/{id}_{class}.png"),
    ),
    "splits outside": (
        [
            *(f"{part}/images/{id}.png" for part in ("train", "val") for id in ("a", "b")),
            *(f"{part}/masks/{id}.png" for part in ("train", "val") for id in ("a", "b")),
        ],
        ("{split}/images/{id}.png", "{split}/masks/{id}.png"),
    ),
    "splits inside": (
        [
            *(f"img/{part}/{id}.png" for part in ("train", "val") for id in ("a", "b")),
            *(f"label/{part}/{id}.png" for part in ("train", "val") for id in ("a", "b")),
        ],
        ("img", "label"),
    ),
    "two types": (
        [*many("photos/#.png", "a", "b"), "photos/c.jpg", *many("labels/#_lbl.png", "a", "b", "c")],
        ("photos", "labels/{id}_lbl.png"),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_READ_23_the_pattern_of_names_is_seen(tmp_path: Path, name: str) -> None:
    files, wanted = LAYOUTS[name]
    put(tmp_path, *[file.replace(".nii.gz", ".png") for file in files])
    found = proposed(tmp_path)
    assert found is not None
    if wanted is not None:
        assert found == Layout(*wanted)
    elif name == "prefixed":
        assert (found.images, found.masks) == ("imgs/img_{id}.png", "gt/gt_{id}.png")


@pytest.mark.parametrize(
    "files",
    [
        [],
        many("images/#.png"),
        [*many("a/#.png"), *many("b/#.png")],  # which are the masks?
        [*many("images/#.png", "a", "b", "c"), *many("masks/#.png", "x", "y", "z")],
    ],
)
def test_READ_23_where_nothing_is_plain_nothing_is_proposed(
    tmp_path: Path, files: list[str]
) -> None:
    assert proposed(put(tmp_path, *files)) is None


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "medical"])
def test_READ_23_the_options_named_by_the_message_work(tmp_path: Path, name: str) -> None:
    files, _ = LAYOUTS[name]
    put(tmp_path, *files)
    (tmp_path / "images").mkdir(exist_ok=True)
    with pytest.raises(DataError, match=r"or, as the files here are called, -s '?data") as caught:
        Folder().open(tmp_path, Task())
    first = str(caught.value).splitlines()[0]
    typed = shlex.split(first.partition("are called, ")[2])
    changes = [word for word in typed if word != "-s"]
    if "class" in name:
        changes += ["data.missing=empty", "data.labels={0: 0, 1: 1}"]
        assert "task.kind=multilabel" in changes
    recipe = load_recipe("folder-laptop", changes)
    listing = recipe.data.open(tmp_path, recipe.task)
    images = [
        file
        for file in files
        if not any(w in file for w in ("mask", "gt", "Segm", "label", "segm"))
    ]
    assert len(listing.cases) == len(images)
    if "class" in name:
        assert listing.names == ("car", "road")
