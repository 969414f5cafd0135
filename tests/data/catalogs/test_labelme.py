"""Images with labelme files (READ-30)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs import Labelme
from lamina.errors import DataError, RecipeError
from lamina.task import Task
from lamina.volume import read_all

MULTILABEL = Task(kind="multilabel")


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(path)


def rectangle(label: str, left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    return {"label": label, "shape_type": "rectangle", "points": [[left, top], [right, bottom]]}


def write(path: Path, *shapes: dict[str, Any], **changes: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "version": "5.2.1",
        "shapes": list(shapes),
        "imagePath": "whatever.png",
        "imageData": None,
        "imageHeight": 4,
        "imageWidth": 6,
    }
    path.write_text(json.dumps(found | changes))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.png", "p1/b.jpg"):
        put(tmp_path / name)
    write(tmp_path / "a.json", rectangle("road", 0, 0, 1, 3), rectangle("car", 1, 1, 3, 2))
    write(tmp_path / "p1" / "b.json")
    return tmp_path


def test_READ_30_shapes_are_channels_that_may_overlap(root: Path) -> None:
    listing = Labelme().open(root, MULTILABEL)
    assert listing.names == ("car", "road")
    assert [case.id for case in listing.cases] == ["a", "p1/b"]
    target = listing.cases[0].target
    assert target is not None
    car, road = read_all(target)
    assert road.tolist() == [[1, 1, 0, 0, 0, 0]] * 4
    assert [row[1:4] for row in car.tolist()] == [[0] * 3, [1] * 3, [1] * 3, [0] * 3]
    assert dict(listing.cases[0].facts) == {"area_0": 6, "area_1": 8, "classes": "0,1"}
    assert listing.cases[0].label_files == (str(root / "a.json"),)
    union = Labelme().open(root, Task())
    assert union.cases[0].facts["area_0"] == 12
    assert [input_.id for input_ in Labelme().inputs(root)] == ["a", "p1/b"]
    assert Labelme().passed_over(root) == []


def test_READ_30_json_files_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.tif")
    write(tmp_path / "labels" / "a.json", rectangle("x", 0, 0, 1, 1))
    catalog = Labelme(images="images", annotations="labels")
    assert catalog.open(tmp_path, MULTILABEL).cases[0].facts["area_0"] == 4


def test_READ_30_ignored_areas_do_not_count(root: Path) -> None:
    write(root / "a.json", rectangle("__ignore__", 0, 0, 1, 3), rectangle("car", 1, 1, 3, 2))
    (first, _) = Labelme().open(root, MULTILABEL).cases
    assert first.valid is not None
    assert read_all(first.valid)[0].tolist() == [[0, 0, 1, 1, 1, 1]] * 4


def test_READ_30_files_and_images_must_fit(root: Path) -> None:
    (root / "p1" / "b.json").rename(root / "p1" / "c.json")
    with pytest.raises(DataError, match=r"1 of 2 images have no JSON file(.|\n)*b\.jpg: no 'p1/b"):
        Labelme().open(root, MULTILABEL)
    with pytest.raises(DataError, match=r"1 JSON files have no image(.|\n)*c\.json"):
        Labelme(missing="empty").open(root, MULTILABEL)
    (root / "p1" / "c.json").unlink()
    assert len(Labelme(missing="empty").open(root, MULTILABEL).cases) == 2
    with pytest.raises(DataError, match="no such folder"):
        Labelme(annotations="json").open(root, MULTILABEL)


@pytest.mark.parametrize(
    ("shapes", "changes", "said"),
    [
        ([{"label": "x", "shape_type": "line", "points": [[0, 0], [1, 1]]}], {}, "shape 1 \\(x\\)"),
        ([], {"shapes": 3}, "no file of labelme"),
        ([rectangle("x", 0, 0, 1, 1)], {"imageWidth": 60}, "is 4 x 6 .*are for 4 x 60"),
    ],
)
def test_READ_30_broken_files_are_refused(
    root: Path, shapes: list[dict[str, Any]], changes: dict[str, Any], said: str
) -> None:
    write(root / "a.json", *shapes, **changes)
    with pytest.raises(DataError, match=said):
        Labelme().open(root, MULTILABEL)


def test_READ_30_labels_are_named_by_the_task(root: Path) -> None:
    with pytest.raises(RecipeError, match="annotations of road; name them, or leave them out"):
        Labelme().open(root, Task(kind="multilabel", names=("car", "bus")))
    listing = Labelme(classes=("car",)).open(root, Task(kind="multilabel", names=("car", "bus")))
    assert listing.cases[0].facts["classes"] == "0"
