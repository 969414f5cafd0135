"""Label tables: stored values, colours and others, as recipes write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs.folder import Folder
from lamina.data.targets.label_map import target_of
from lamina.data.targets.label_table import table_of
from lamina.errors import DataError, LaminaError
from lamina.recipe.load import load_recipe
from lamina.task import Task
from lamina.volume import ArrayVolume, read_all


def mask(stored: Any, labels: Any, ignore: int | None = None) -> list[Any]:
    array = np.asarray(stored, np.uint8)
    volume = ArrayVolume(array if array.ndim == 3 else array[None], "yx", "m.png")
    target, _ = target_of(volume, task_kind="binary", classes=1, values=labels, ignore=ignore)
    return list(read_all(target)[0].tolist())


def test_keys_are_values_colours_and_others() -> None:
    assert Folder(labels={"0": 0, 255: 1}).labels == {0: 0, 255: 1}
    for key in ("#FF0000", "255, 0, 0", "[255, 0, 0]", (255, 0, 0)):
        assert Folder(labels={key: 1}).labels == {"#ff0000": 1}
    with pytest.raises(LaminaError, match="is no stored value"):
        Folder(labels={"red": 1})
    with pytest.raises(LaminaError, match="not by both"):
        Folder(labels={"#ff0000": 1, 0: 0})
    again = Folder.model_validate_json(Folder(labels={0: 0, 7: 1, "others": 0}).model_dump_json())
    assert again.labels == {0: 0, 7: 1, "others": 0}


def test_READ_21_others_stands_for_all_that_is_not_named() -> None:
    assert mask([[0, 1, 2], [124, 0, 9]], {0: 0, "others": 1}) == [[0, 1, 1], [1, 0, 1]]
    instances = np.arange(64).reshape(8, 8)
    with pytest.raises(DataError, match=r"set data\.labels: \{0: 0, others: 1\} if each value"):
        mask(instances, None)


def test_READ_4_colours_have_classes() -> None:
    red, black, blue = (255, 0, 0), (0, 0, 0), (0, 0, 255)
    stored = np.moveaxis(np.asarray([[red, black], [blue, red]]), 2, 0)
    table = {"#ff0000": 1, "#000000": 0, "#0000ff": 0}
    assert mask(stored, table) == [[1, 0], [0, 1]]
    with pytest.raises(DataError, match=r"#0000ff: 1 pixels"):
        mask(stored, {"#ff0000": 1, "#000000": 0})
    assert mask(stored, {"#ff0000": 1, "others": 0}) == [[1, 0], [0, 1]]


def test_WORK_15_a_mask_in_colours_names_the_table_to_write() -> None:
    red = np.zeros((3, 4, 4))
    red[0, :2] = 255
    with pytest.raises(DataError, match=r"a mask in colours; set data\.labels, such as .*#ff0000"):
        mask(red, None)


def test_READ_8_a_negative_value_is_void_and_no_class(tmp_path: Path) -> None:
    volume = ArrayVolume(np.asarray([[[-1, 0, 1]]], np.int16), "yx", "m.tif")
    target, _ = target_of(volume, task_kind="binary", classes=1, values=None, ignore=None)
    with pytest.raises(DataError, match=r"set data\.ignore: -1 if such pixels do not count"):
        read_all(target)


@pytest.mark.parametrize("together", [True, False])
def test_READ_8_1_and_255_in_one_data_set_are_a_question(tmp_path: Path, together: bool) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        stored = np.zeros((8, 8), np.uint8)
        stored[2:4, 2:4] = 1 if together or number else 255
        stored[6] = 255 if together else 0
        Image.fromarray(stored).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(stored).save(tmp_path / "masks" / f"{number}.png")
    task = Task(kind="binary")
    with pytest.raises(DataError, match=r"data\.ignore: 255 .* or data\.labels"):
        Folder(labels="binary").open(tmp_path, task)
    void = Folder(labels="binary", ignore=255).open(tmp_path, task)
    assert int(read_all(void.cases[1].target).sum()) == 4  # type: ignore[arg-type]
    both = Folder(labels={0: 0, 1: 1, 255: 1}).open(tmp_path, task)
    assert int(read_all(both.cases[1].target).sum()) == (12 if together else 4)  # type: ignore[arg-type]


def test_READ_8_a_table_replaces_the_table_of_the_base(tmp_path: Path) -> None:
    recipe = load_recipe("volume-laptop", ["data.labels={0: 0, 7: 1}"])
    assert recipe.data.labels == {0: 0, 7: 1}  # type: ignore[union-attr]
    path = tmp_path / "mine.yaml"
    path.write_text("extends: volume-laptop\nname: mine\ndata: {labels: {3: 1, others: 0}}\n")
    assert load_recipe(path).data.labels == {3: 1, "others": 0}  # type: ignore[union-attr]


def test_binary_is_0_and_1_or_0_and_255() -> None:
    assert table_of("binary").classes == {0: 0, 1: 1, 255: 1}
    assert mask([[0, 255]], "binary") == [[0, 1]]
    assert mask([[0, 1]], "binary") == [[0, 1]]
