"""The four rules of merging, by hand."""

from __future__ import annotations

import pytest

from lamina.options.nodes import Node, Where, plain_value
from lamina.recipe.yaml.merge import imply_stage, merge, merge_train
from lamina.recipe.yaml.reader import read_text


def tree(text: str, source: str = "r.yaml") -> Node:
    return read_text(text, lambda line: Where(source, line))[0]


@pytest.mark.parametrize(
    ("upper", "lower", "merged"),
    [
        ("{a: 1}", "{b: 2}", "{b: 2, a: 1}"),
        ("{a: {x: 1}}", "{a: {x: 0, y: 2}}", "{a: {x: 1, y: 2}}"),
        ("{a: [1]}", "{a: [2, 3]}", "{a: [1]}"),
        ("{a: null}", "{a: {x: 1}}", "{a: null}"),
        ("{a: {x: 1}}", "{a: 3}", "{a: {x: 1}}"),
        ("{o: {lr: 1}}", "{o: {kind: adam, lr: 2}}", "{o: {kind: adam, lr: 1}}"),
        ("{o: {kind: adam}}", "{o: {kind: adam, lr: 2}}", "{o: {kind: adam, lr: 2}}"),
        ("{o: {kind: sgd}}", "{o: {kind: adam, lr: 2}}", "{o: {kind: sgd}}"),
        ("{o: {kind: adam}}", "{o: {lr: 2}}", "{o: {kind: adam, lr: 2}}"),
    ],
)
def test_one_part_over_another(upper: str, lower: str, merged: str) -> None:
    assert plain_value(merge(tree(upper), tree(lower))) == plain_value(tree(merged))


def test_every_value_keeps_the_place_where_it_was_written() -> None:
    merged = merge(tree("a: {x: 1}", "up.yaml"), tree("\na:\n  y: 2", "low.yaml")).value
    assert isinstance(merged, dict)
    inner = merged["a"].value
    assert isinstance(inner, dict)
    assert (inner["x"].where, inner["y"].where) == (Where("up.yaml", 1), Where("low.yaml", 3))


def test_train_lies_under_each_stage() -> None:
    root, train = merge_train(
        tree(
            "train: {epochs: 5, schedule: {kind: cosine, floor: 0}}\n"
            "stages:\n"
            "- {name: a, schedule: {kind: plateau}}\n"
            "- {name: b, epochs: 1, schedule: {floor: 1}}"
        )
    )
    assert plain_value(root) == {
        "stages": [
            {"name": "a", "epochs": 5, "schedule": {"kind": "plateau"}},
            {"name": "b", "epochs": 1, "schedule": {"kind": "cosine", "floor": 1}},
        ]
    }
    assert train is not None
    assert train.where == Where("r.yaml", 1)


def test_a_recipe_without_stages_has_one_called_main() -> None:
    root, _ = merge_train(imply_stage(tree("train: {epochs: 5}")))
    assert plain_value(root) == {"stages": [{"epochs": 5, "name": "main"}]}


def test_stages_that_are_no_list_are_left_for_the_model_to_refuse() -> None:
    root, _ = merge_train(imply_stage(tree("{train: {epochs: 5}, stages: 3}")))
    assert plain_value(root) == {"stages": 3}
