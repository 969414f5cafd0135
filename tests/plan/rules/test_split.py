"""Splits keep groups together, and hold something out of a single case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.plan.rules.split import split
from tests.factories.facts import IMAGES, VOLUME, classes, of_rule


@pytest.mark.parametrize(("groups", "count"), [(40, 5), (10, 5), (9, 3), (6, 3), (5, 4), (2, 2)])
def test_folds_by_the_number_of_groups(groups: int, count: int) -> None:
    found = of_rule(split, replace(IMAGES, groups=groups))
    assert found["split.kind"].value == "folds"
    assert found["split.count"].value == count


@pytest.mark.parametrize(
    ("length", "train", "held"),
    [
        (20, [0, 14], [15, 20]),  # as the laptop recipe has it, by hand
        (4, [0, 3], [3, 4]),
        (2, [0, 1], [1, 2]),
        (100, [0, 70], [75, 100]),
    ],
)
def test_one_volume_is_cut_into_sections(length: int, train: list[int], held: list[int]) -> None:
    shape = (length, 64, 64)
    value = of_rule(split, replace(VOLUME, shape=shape, least=shape))["split"].value
    assert value == {"kind": "sections", "axis": "z", "train": [train], "validate": [held]}


def test_one_image_is_cut_along_its_longer_side() -> None:
    one = replace(IMAGES, cases=1, groups=1, shape=(100, 400), least=(100, 400))
    value = of_rule(split, one)["split"].value
    assert (value["axis"], value["validate"]) == ("x", [[300, 400]])


def test_what_says_the_groups_stands_in_the_split() -> None:
    by: dict[str, Any] = {"groups": "patients.csv", "together": [["a", "b"]]}
    found = of_rule(split, replace(IMAGES, grouped_by=by, group_evidence="by patients.csv"))
    assert found["split.groups"].value == "patients.csv"
    assert found["split.groups"].why == "by patients.csv"
    assert found["split.together"].value == [["a", "b"]]


def test_rare_classes_are_spread_over_folds() -> None:
    assert "split.stratify" not in of_rule(split, IMAGES)
    found = of_rule(split, classes(IMAGES, empty=30, cases=(10,)))
    assert found["split.stratify"].value == "classes"
    assert found["split.stratify"].why == "30 of 40 are empty; the rarest class is in 10"


def test_a_split_that_the_data_bring_along_is_used() -> None:
    found = of_rule(split, replace(IMAGES, parts={"train": 30, "val": 10}))
    assert found["split"].value == {"kind": "folders"}
    own = {"kind": "folds", "path": "splits_final.json", "count": 5}
    assert of_rule(split, replace(IMAGES, split=own))["split"].value == own
