"""What label values stand for: the traps that other planners fell into."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lamina.errors import DataError, LayoutError
from lamina.plan.fingerprint.label_values import LabelMeaning, _name, meaning_of
from lamina.plan.layouts import Match, chosen
from lamina.plan.tree import Tree
from tests.factories.data_folders import picture, save


def write(root: Path, *values: Any, dtype: Any = np.uint8) -> Tree:
    """Write four images with masks whose rows hold the values in turn."""
    rows = np.array([values[k % len(values)] for k in range(72)], dtype)
    mask = np.stack([rows] * 72, 1)
    for k in range(4):
        save(root / f"images/{k}.png", picture(k)[0])
        path = root / f"masks/{k}.{'png' if dtype == np.uint8 else 'tif'}"
        path.parent.mkdir(exist_ok=True)
        if dtype == np.uint8:
            Image.fromarray(mask).save(path)
        else:
            tifffile.imwrite(path, mask)
    return Tree.of(root)


def meaning(tree: Tree, reading: str | None = None) -> LabelMeaning:
    return meaning_of(tree, chosen(tree, None), reading)


@pytest.mark.parametrize(
    ("values", "task", "data"),
    [
        ((0, 1), {"kind": "binary"}, {}),
        ((0, 255), {"kind": "binary"}, {"labels": "binary"}),
        ((0, 7), {"kind": "binary"}, {"labels": {0: 0, 7: 1}}),
        (
            (0, 1, 2),
            {"kind": "multiclass", "names": ["background", "class_1", "class_2"]},
            {},
        ),
        (
            (0, 1, 2, 255),
            {"kind": "multiclass", "names": ["background", "class_1", "class_2"]},
            {"ignore": 255},
        ),
        (
            (0, 32, 128),
            {"kind": "multiclass", "names": ["background", "class_32", "class_128"]},
            {"labels": {0: 0, 32: 1, 128: 2}},
        ),
        (
            (0, 64, 128, 255),
            {"kind": "multiclass", "names": ["background", "class_64", "class_128", "class_255"]},
            {"labels": {0: 0, 64: 1, 128: 2, 255: 3}},
        ),
    ],
)
def test_values(tmp_path: Path, values: Any, task: Any, data: Any) -> None:
    found = meaning(write(tmp_path, *values))
    assert (found.task, found.data) == (task, data)
    assert found.said.startswith("labels hold 0")


def test_a_background_that_is_rarer_than_a_class_is_noted(tmp_path: Path) -> None:
    assert meaning(write(tmp_path / "a", 0, 0, 1)).notes == ()
    assert meaning(write(tmp_path / "b", 0, 1, 2)).notes == ()
    (note,) = meaning(write(tmp_path / "c", 0, 32, 255, 255, 255, 255)).notes
    assert note.startswith("labels of 255 cover 66.7% of the pixels, and of 0, which is taken for")
    assert "16.7%; if 255 is, change data.labels" in note
    assert meaning(write(tmp_path / "d", 0, 1, 2, 255, 255, 255)).notes == ()  # 255 is ignored


def test_negative_values_do_not_count(tmp_path: Path) -> None:
    found = meaning(write(tmp_path, -1, 0, 1, dtype=np.int16))
    assert (found.task, found.data) == ({"kind": "binary"}, {"ignore": -1})


@pytest.mark.parametrize(("values", "said"), [((-1,), "is -1 "), ((-1, 0), "is -1 or 0 ")])
def test_labels_of_no_class_are_refused(tmp_path: Path, values: Any, said: str) -> None:
    with pytest.raises(DataError, match=rf"every label that was read {said}.*check the masks"):
        meaning(write(tmp_path, *values, dtype=np.int16))


def test_numbers_of_objects_are_one_class(tmp_path: Path) -> None:
    found = meaning(write(tmp_path, *range(0, 700, 10), dtype=np.uint16))
    assert (found.task, found.data) == ({"kind": "binary"}, {"labels": {0: 0, "others": 1}})
    assert "numbers up to 690 are those of objects" in found.said


def test_soft_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different values up to 71, as masks with soft edges"):
        meaning(write(tmp_path, *range(72)))


def test_empty_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every label that was read is 0"):
        meaning(write(tmp_path, 0))
    with pytest.raises(DataError, match="every label that was read is 3"):
        meaning(write(tmp_path / "three", 3))


def test_255_beside_1_is_a_question(tmp_path: Path) -> None:
    tree = write(tmp_path / "my data", 0, 1, 255)
    words = r"masks hold 0, 1 and 255(.|\n)*folder/masks\+ignore255"
    with pytest.raises(LayoutError, match=words) as caught:
        meaning(tree)
    for line in str(caught.value).splitlines()[1:]:
        assert shlex.split(line)[2] == str(tree.root)
    assert meaning(tree, "ignore255").data == {"ignore": 255}
    assert meaning(tree, "foreground255").data == {"labels": {0: 0, 1: 1, 255: 1}}


def test_colours_are_classes(tmp_path: Path) -> None:
    for k in range(4):
        image, mask = picture(k)
        save(tmp_path / f"images/{k}.png", image)
        palette: NDArray[np.uint8] = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
        save(tmp_path / f"masks/{k}.png", palette[np.where(np.roll(mask, 30, 0), 2, mask)])
    found = meaning(Tree.of(tmp_path))
    assert found.data == {"labels": {"#000000": 0, "#00ff00": 1, "#ff0000": 2}}
    assert found.task["names"] == ["background", "colour_00ff00", "colour_ff0000"]


def test_masks_of_one_class_each(tmp_path: Path) -> None:
    for k in range(4):
        image, mask = picture(k)
        save(tmp_path / f"images/{k}.png", image)
        for name in ("a", "b"):
            save(tmp_path / f"masks/{name}/{k}.png", mask * 255)
    assert meaning(Tree.of(tmp_path)).data == {"labels": "binary"}
    save(tmp_path / "masks/a/0.png", picture(0)[1] * 3)
    with pytest.raises(DataError, match="masks of one class each hold 0, 3, 255"):
        meaning(Tree.of(tmp_path))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"target": "mitochondria.tif"}, "mitochondria"),
        ({"target": "fault_*.npy"}, "fault"),
        ({"masks": "masks/lungs"}, "lungs"),
        ({"masks": "masks"}, ""),
        ({"target": "labels/{id}.*"}, ""),
        ({"masks": "{id}_seg.png"}, ""),
        ({"target": "Tumor_segmentation.nii.gz"}, ""),
    ],
)
def test_a_class_is_called_as_its_file_or_folder_is(data: dict[str, str], name: str) -> None:
    assert _name(Match("folder", "", data, 1.0)) == name
