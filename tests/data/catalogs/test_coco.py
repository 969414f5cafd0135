"""Images with a COCO file (READ-30)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs import Coco
from lamina.data.splits import Folders
from lamina.errors import DataError, RecipeError
from lamina.task import Task
from lamina.volume import read_all

MULTILABEL, BINARY = Task(kind="multilabel"), Task()
BOX = [1, 1, 4, 1, 4, 3, 1, 3]
CATEGORIES = [{"id": 7, "name": "car"}, {"id": 3, "name": "road"}, {"id": 9, "name": "sky"}]


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(path)


def annotation(number: int, image: int, category: int, segmentation: Any) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": int(isinstance(segmentation, dict)),
    }


def write(
    root: Path, annotations: list[dict[str, Any]], table: str = "annotations.json", **changes: Any
) -> Path:
    names = changes.pop("files", ["a.png", "deep/b.jpg"])
    images = [
        {"id": 10 + k, "file_name": name, "height": 4, "width": 6} for k, name in enumerate(names)
    ]
    found = {"images": images, "annotations": annotations, "categories": CATEGORIES, **changes}
    path = root / table
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.png", "deep/b.jpg"):
        put(tmp_path / "images" / name)
    return write(
        tmp_path,
        [
            annotation(1, 10, 7, [BOX, [0, 0, 1, 0, 1, 1, 0, 1]]),
            annotation(2, 10, 3, {"counts": [0, 8, 16], "size": [4, 6]}),
        ],
    )


def test_READ_30_polygons_and_codes_are_channels_that_may_overlap(root: Path) -> None:
    listing = Coco().open(root, MULTILABEL)
    assert listing.names == ("road", "car")  # by id; sky has no annotation
    assert [case.id for case in listing.cases] == ["a", "deep/b"]
    first = listing.cases[0]
    assert first.target is not None
    road, car = read_all(first.target)
    assert road.tolist() == [[1, 1, 0, 0, 0, 0]] * 4
    assert car.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert dict(first.facts) == {"area_0": 8, "area_1": 7, "classes": "0,1"}
    assert listing.cases[1].facts["classes"] == ""  # listed without annotations
    assert [input_.id for input_ in Coco().inputs(root)] == ["a", "deep/b"]


def test_READ_30_classes_are_chosen_and_joined(root: Path) -> None:
    union = Coco().open(root, BINARY)
    assert (union.names, union.cases[0].facts["area_0"]) == (("foreground",), 12)
    alone = Coco(classes=("car",)).open(root, Task(names=("car",)))
    assert (alone.names, alone.cases[0].facts["area_0"]) == (("car",), 7)
    named = Coco().open(root, Task(kind="multilabel", names=("car", "sky", "road")))
    assert named.cases[0].facts["classes"] == "0,2"
    with pytest.raises(RecipeError, match=r"set data\.classes: \[car\]"):
        Coco().open(root, Task(names=("car",)))
    with pytest.raises(RecipeError, match="annotations of road; name them"):
        Coco().open(root, Task(kind="multilabel", names=("car",)))
    with pytest.raises(RecipeError, match=r"data\.classes names tree; classes are road, car"):
        Coco(classes=("tree",)).open(root, MULTILABEL)
    with pytest.raises(RecipeError, match=r"set task\.kind to multilabel"):
        Coco().open(root, Task(kind="multiclass"))


def test_READ_30_annotations_changed_change_the_digest(root: Path) -> None:
    before = [case.label_digest for case in Coco().open(root, MULTILABEL).cases]
    write(
        root,
        [
            annotation(1, 10, 7, [BOX]),
            annotation(2, 10, 3, {"counts": [0, 8, 16], "size": [4, 6]}),
        ],
    )
    after = [case.label_digest for case in Coco().open(root, MULTILABEL).cases]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]


def test_READ_30_a_file_for_each_part_is_a_split(tmp_path: Path) -> None:
    for part in ("train", "val"):
        put(tmp_path / part / "a.png")
        write(
            tmp_path,
            [annotation(1, 10, 7, [BOX])],
            f"labels/instances_{part}.json",
            files=["a.png"],
        )
    catalog = Coco(table="labels/instances_{split}.json", images="{split}")
    listing = catalog.open(tmp_path, MULTILABEL)
    assert [case.id for case in listing.cases] == ["train/a", "val/a"]
    assert Folders().assign(listing.cases, tmp_path)[1] == [-1, 0]
    assert [input_.id for input_ in catalog.inputs(tmp_path)] == ["train/a", "val/a"]


def test_READ_30_what_is_not_listed_is_said(root: Path) -> None:
    put(root / "images" / "c.png")
    (root / "images" / "readme.md").write_text("x")
    assert [(one.path.name, one.reason) for one in Coco().passed_over(root)] == [
        ("readme.md", "has a suffix of no type that is read"),
        ("c.png", "is in no file of annotations"),
    ]


@pytest.mark.parametrize(
    ("annotations", "changes", "said"),
    [
        ([annotation(5, 10, 7, [])], {}, r"annotation 5: has no segmentation \(a box is none\)"),
        ([annotation(5, 10, 7, [[1, 2, 3, 4]])], {}, "annotation 5: a polygon without three"),
        ([annotation(5, 10, 7, {"counts": [24], "size": [6, 4]})], {}, r"code of \(6, 4\)"),
        ([annotation(5, 99, 7, [BOX])], {}, "annotation 5: of the image 99, which is not listed"),
        ([annotation(5, 10, 1, [BOX])], {}, "annotation 5: of the category 1, which is not"),
        ([annotation(5, 10, 7, [BOX])], {"files": ["z.png"]}, r"z\.png: no such image"),
        ([annotation(5, 10, 7, [BOX])], {"files": ["../z.png"]}, "leaves the folder"),
        ([annotation(5, 10, 7, [BOX])], {"files": ["a.png", "a.png"]}, "lists an image twice"),
        ([annotation(5, 10, 7, [BOX])], {"categories": [{"id": 1}]}, "no COCO file"),
        ([], {}, "classes are unknown"),
        (
            [annotation(5, 10, 7, [BOX])],
            {"images": [{"id": 10, "file_name": "a.png", "height": 8, "width": 12}]},
            "is 4 x 6 .*annotations are for 8 x 12",
        ),
    ],
)
def test_READ_30_what_does_not_fit_is_refused(
    root: Path, annotations: list[dict[str, Any]], changes: dict[str, Any], said: str
) -> None:
    write(root, annotations, **changes)
    with pytest.raises(DataError, match=said):
        Coco().open(root, MULTILABEL)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds a list"),
        ("{'a': 1}", "line 1: not JSON"),
        ('{"a": 1,\n "b" 2}', "line 2: not JSON"),
        ("{}", "no COCO file"),
        ("[" * 200_000, "nested too deep|not JSON"),
    ],
)
def test_READ_30_what_is_no_coco_file_is_refused(root: Path, text: str, said: str) -> None:
    (root / "annotations.json").write_text(text)
    with pytest.raises(DataError, match=said):
        Coco().open(root, MULTILABEL)


def test_READ_30_a_missing_file_and_a_missing_folder_name_the_options_that_work(
    tmp_path: Path,
) -> None:
    put(tmp_path / "train2017" / "a.png")
    table = "annotations/instances.json"
    write(tmp_path, [annotation(1, 10, 7, [BOX])], table, files=["a.png"])
    with pytest.raises(DataError, match=rf"are {table}; set it, as -s data\.table={table}"):
        Coco().open(tmp_path, MULTILABEL)
    with pytest.raises(DataError, match=r"lists it; add it, or set -s data\.images=train2017"):
        Coco(table=table).open(tmp_path, MULTILABEL)
    found = Coco(table=table, images="train2017").open(tmp_path, MULTILABEL)
    assert [case.id for case in found.cases] == ["a"]
    with pytest.raises(DataError, match=r"no file is called 'other_\{split\}\.json'"):
        Coco(table="other_{split}.json").open(tmp_path, MULTILABEL)
