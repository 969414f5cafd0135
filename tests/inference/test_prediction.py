"""What an answer holds: labels, instances, pictures and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lamina.errors import RecipeError
from lamina.inference.prediction import Prediction
from lamina.pictures.palette import PALETTE, rgb
from lamina.result.decisions import Argmax, AsIs, Threshold
from lamina.task import Task


def made(prob: Any, kind: str = "multilabel", names: tuple[str, ...] = ("a", "b")) -> Prediction:
    prob = np.asarray(prob, np.float32)
    decision: Any = {"multiclass": Argmax(), "restore": AsIs()}.get(kind, Threshold())
    image = np.full((1, *prob.shape[1:]), 100, np.uint8)
    task = Task.model_validate({"kind": kind, "names": names})
    return Prediction("x", "yx", task, prob, decision, ("fold0",), image)


def test_labels_of_classes_that_do_not_overlap() -> None:
    prob = np.zeros((2, 4, 5))
    prob[0, 0], prob[1, 2] = 0.9, 0.9
    wanted = np.zeros((4, 5), int)
    wanted[0], wanted[2] = 1, 2
    np.testing.assert_array_equal(made(prob).labels, wanted)
    prob[1, 0] = 0.9
    with pytest.raises(RecipeError, match="overlap"):
        _ = made(prob).labels


def test_where_masks_overlap_a_rule_chooses_the_class() -> None:
    prob = np.zeros((2, 3, 4))
    prob[0, 0], prob[1, 0], prob[1, 1] = 0.6, 0.9, 0.7
    found = made(prob)
    first = [[1] * 4, [2] * 4, [0] * 4]
    np.testing.assert_array_equal(found.labels_by("priority"), first)
    first[0] = [2] * 4
    np.testing.assert_array_equal(found.labels_by("probability"), first)
    assert found.labels_by("priority").dtype == np.uint8
    many = np.zeros((300, 1, 2))
    many[299, 0, 1] = 1
    wide = made(many, names=tuple(map(str, range(300)))).labels
    assert (wide.dtype, wide.tolist()) == (np.uint16, [[0, 300]])
    with pytest.raises(RecipeError, match="priority or probability"):
        found.labels_by("area")  # type: ignore[arg-type]


def test_objects_have_the_area_that_the_spacing_gives() -> None:
    prob = np.zeros((2, 4, 5))
    prob[0, 1:3, 1:4] = 1
    found = replace(made(prob), spacing=(0.5, 2.0))
    row = found.objects().to_csv().splitlines()[1].split(",")
    assert row[3:5] == ["6", "6.0"]
    assert found.instances().dtype == np.int32


def test_exclusive_classes_have_a_background_that_is_no_object() -> None:
    prob = np.zeros((3, 4, 6))
    prob[0], prob[1, 1:3, 1:3], prob[2, 0, 5] = 0.4, 0.6, 0.9
    found = made(prob, "multiclass", ("background", "a", "b"))
    np.testing.assert_array_equal(found.labels, prob.argmax(axis=0))
    assert [(object_.class_name, object_.area) for object_ in found.objects()] == [
        ("a", 4),
        ("b", 1),
    ]
    assert found.instances()[0, 5] == 2


def test_instances_are_numbered_class_by_class() -> None:
    prob = np.zeros((2, 3, 7))
    prob[0, 1, 1] = prob[0, 1, 5] = prob[1, 0, 3] = 1
    found = made(prob).instances()
    assert [found[1, 1], found[1, 5], found[0, 3]] == [1, 2, 3]
    assert made(prob).instances(minimum=2).max() == 0


def test_the_overlay_shows_masks_in_the_colours_of_their_classes() -> None:
    prob = np.zeros((2, 40, 60))
    prob[1, 10:30, 10:50] = 1
    picture = made(prob).overlay()
    assert picture.shape == (40, 60, 3)
    np.testing.assert_array_equal(picture[0, 0], [100] * 3)
    np.testing.assert_array_equal(picture[10, 20], rgb(PALETTE[1]))  # its outline
    small = made(prob).overlay(width=30)
    assert small.shape == (20, 30, 3)
    png = cv2.imdecode(np.frombuffer(made(prob)._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(png[:, :, ::-1], picture)


def test_files_hold_masks_a_picture_and_objects(tmp_path: Path) -> None:
    prob = np.zeros((2, 20, 30))
    prob[0, 2:6, 3:9] = 0.8
    found = made(prob)
    paths = found.save(tmp_path / "out", name="one")
    assert [path.name for path in paths] == [
        "one_a.png",
        "one_b.png",
        "one_overlay.jpg",
        "one_objects.csv",
        "one_objects.geojson",
    ]
    mask = cv2.imread(str(paths[0]), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, found.masks[0] * 255)
    assert len(json.loads(paths[4].read_text(encoding="utf-8"))["features"]) == 1
    only = made(prob[:1], "binary", ("a",)).save(tmp_path / "out", formats=("masks",))
    assert [path.name for path in only] == ["x.png"]


def test_files_have_plain_names_whatever_ids_and_classes_hold(tmp_path: Path) -> None:
    found = replace(made(np.zeros((2, 8, 9)), names=("a/b", "con")), id="p1/scan.tif")
    paths = found.save(tmp_path, formats=["masks"])
    assert [path.name for path in paths] == ["p1%2Fscan_a%2Fb.png", "p1%2Fscan_%63on.png"]
    for name in ("../out", "a/b", ".hidden"):
        with pytest.raises(RecipeError, match="plain file name"):
            found.save(tmp_path, name=name)
    for formats in (("mask",), "masks"):
        with pytest.raises(RecipeError, match="must be a list of"):
            found.save(tmp_path, formats=formats)  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 2


def test_restored_values_are_no_masks(tmp_path: Path) -> None:
    values = np.linspace(0, 255, 12).reshape(1, 3, 4)
    found = made(values, "restore", ("value",))
    np.testing.assert_allclose(found.values, values)
    assert found.overlay().shape == (3, 4, 3)
    for ask in (lambda: found.masks, lambda: found.save(tmp_path)):
        with pytest.raises(RecipeError):
            ask()
    with pytest.raises(RecipeError, match="probabilities"):
        _ = made(np.zeros((2, 3, 4))).values
