"""Somebody's own split is said where another is used, and the options named take it (WORK-5)."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.doctor.run import examine
from lamina.recipe.load import load_recipe
from lamina.training.dataset import open_data


def write(root: Path, folder: str, count: int, *, first: int = 0) -> None:
    for k in range(first, first + count):
        path = root / folder / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) // 32 + k * 0).save(path)


LAYOUTS = {
    "inside": (["images/train", "masks/train", "images/val", "masks/val"], []),
    "outside": (
        ["train/images", "train/masks", "val/images", "val/masks"],
        ["data.images=train/images", "data.masks=train/masks"],
    ),
    "only train is named": (
        ["images/train", "masks/train", "images/valid", "masks/valid"],
        ["data.images=images/train", "data.masks=masks/train"],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_WORK_5_what_is_said_works(tmp_path: Path, name: str) -> None:
    folders, changes = LAYOUTS[name]
    for folder in folders:
        held = "val" in folder
        write(tmp_path, folder, 2 if held else 4, first=10 if held else 0)
    opened = open_data(load_recipe("folder-laptop", ["split.count=2", *changes]), tmp_path)
    (said,) = [line for line in opened.lines() if "split.kind=folders" in line]
    assert said.startswith("warning: ")
    examined = examine("folder-laptop", ["split.count=2", *changes], root=tmp_path)
    found = [one.finding for one in examined.said if one.finding.where == "split"]
    assert [f"warning: {one.what}; {one.remedy}" for one in found] == [said]
    options = [word for word in shlex.split(said.partition(": -s")[2]) if "=" in word]
    again = open_data(load_recipe("folder-laptop", [*changes, *options]), tmp_path)
    assert [case.id.partition("/")[0][:3] for case in again.held_out(0)] == ["val", "val"]
    assert len(again.training(0)) == 4
    assert not [line for line in again.lines() if "split" in line]


def test_WORK_5_nothing_is_said_where_there_is_no_such_split(tmp_path: Path) -> None:
    for folder in ("images/p1", "masks/p1", "images/train", "masks/train"):
        write(tmp_path, folder, 2)
    opened = open_data(load_recipe("folder-laptop", ["split.count=2"]), tmp_path)
    assert not [line for line in opened.lines() if line.startswith("warning")]


@pytest.mark.parametrize("missing", ["error", "empty"])
def test_WORK_5_a_test_folder_without_masks_is_left_out_and_said(
    tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "val", "test"):
        write(tmp_path, f"{part}/images", 3)
        if part != "test":
            write(tmp_path, f"{part}/masks", 3)
    changes = [
        "data.images={split}/images/{id}.png",
        "data.masks={split}/masks/{id}.png",
        "split.kind=folders",
        f"data.missing={missing}",
    ]
    opened = open_data(load_recipe("folder-laptop", changes), tmp_path)
    assert {case.id.partition("/")[0] for case in opened.cases} == {"train", "val"}
    assert "3 images of a test folder without a mask are left out, such as test/0" in (
        capsys.readouterr().err
    )
