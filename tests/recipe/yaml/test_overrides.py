"""Changes on the command line name items by name or kind, and say what they cannot do."""

from __future__ import annotations

import pytest

from lamina.options.nodes import Node, Where, plain_value
from lamina.recipe.yaml.overrides import apply
from lamina.recipe.yaml.reader import read_text

TEXT = """
name: a
size: [1, 2]
ema: null
data: {kind: csv_rle, table: t.csv}
labels: {0: 0, 255: 1}
loss: [{kind: bce}, {kind: dice, weight: 1}]
transforms: [{kind: flip}, {kind: flip, p: 1}]
stages:
- {name: warm, epochs: 1}
- {name: tune, epochs: 2, optimizer: {kind: adam, lr: 1}}
"""


def changed(*overrides: str) -> tuple[dict[str, object], list[str]]:
    root, _ = read_text(TEXT, lambda line: Where("r.yaml", line))
    after, problems = apply(root, overrides)
    return plain_value(after), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("name=b", ["name"], "b"),
        ("name=", ["name"], None),
        ("name=a=b", ["name"], "a=b"),
        ("new.part.x=1e-4", ["new"], {"part": {"x": 1e-4}}),
        ("size=[3, 4]", ["size"], [3, 4]),
        ("ema.decay=0.9", ["ema"], {"decay": 0.9}),
        ("data.table=u.csv", ["data"], {"kind": "csv_rle", "table": "u.csv"}),
        ("data.kind=folder", ["data"], {"kind": "folder"}),
        ("data={kind: folder, images: i}", ["data"], {"kind": "folder", "images": "i"}),
        ("data={table: u.csv}", ["data"], {"kind": "csv_rle", "table": "u.csv"}),
        ("labels.128=1", ["labels"], {"0": 0, "255": 1, "128": 1}),
        ("loss.dice.weight=2", ["loss", 1], {"kind": "dice", "weight": 2}),
        ("loss=[{kind: mse}]", ["loss"], [{"kind": "mse"}]),
        ("stages.warm.epochs=9", ["stages", 0], {"name": "warm", "epochs": 9}),
        ("stages.tune.optimizer.lr=2", ["stages", 1, "optimizer"], {"kind": "adam", "lr": 2}),
        ("stages.tune.optimizer.kind=sgd", ["stages", 1, "optimizer"], {"kind": "sgd"}),
    ],
)
def test_one_change(override: str, path: list[str | int], value: object) -> None:
    after, problems = changed(override)
    assert problems == []
    for step in path:
        after = after[step]  # type: ignore[index,assignment]
    assert after == value


def test_work_7_a_change_of_train_reaches_stages_that_set_it_themselves() -> None:
    after, problems = changed("train.epochs=7", "train.optimizer.lr=3", "train.batch=2")
    assert problems == []
    assert after["train"] == {"epochs": 7, "optimizer": {"lr": 3}, "batch": 2}
    assert after["stages"] == [
        {"name": "warm", "epochs": 7},
        {"name": "tune", "epochs": 7, "optimizer": {"kind": "adam", "lr": 3}},
    ]


def test_changes_are_made_in_order() -> None:
    assert changed("data.kind=folder", "data.images=i")[0]["data"] == {
        "kind": "folder",
        "images": "i",
    }


def test_the_recipe_before_stays_as_it_was() -> None:
    root, _ = read_text(TEXT, lambda line: Where("r.yaml", line))
    before = plain_value(root)
    apply(root, ["stages.warm.epochs=9", "data.kind=folder", "loss.dice.weight=4"])
    assert plain_value(root) == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.tnue.lr=1e-5", "'stages.tnue' is none of warm, tune"),
        ("loss.0.weight=1", "'loss.0' is none of bce, dice"),
        ("transforms.flip.p=0", "'transforms.flip' names 2 items; change them in the file"),
        ("size.0=3", "the items of 'size' have no names; set it whole, as size=[...]"),
        ("name.x=3", "'name' is 'a', which has no parts"),
        ("name", "a change is NAME=VALUE, such as stages.main.epochs=2"),
        ("=3", "a change is NAME=VALUE, such as stages.main.epochs=2"),
        ("a..b=3", "a change is NAME=VALUE, such as stages.main.epochs=2"),
        ("extends=steel", "extends belongs in the file, not on the command line"),
        ("name=[1", "not YAML: expected ',' or ']', but got '<stream end>' while parsing"),
        ("name=!!python/name:os.system", "the tag '!!python/name:os.system' is not part"),
        ("name=[*a]", "anchors and aliases (& and *) are not part of recipes"),
        ("name=[*.tif]", "anchors and aliases (& and *) are not part of recipes"),
        ("name=.nan", ".nan is not a finite number"),
        ("name={a: 1, a: 2}", "'a' is set twice"),
    ],
)
def test_a_change_that_cannot_be_made_is_quoted(override: str, message: str) -> None:
    _, problems = changed(override)
    assert len(problems) == 1
    assert problems[0].startswith(f"-s {override}: {message}")


@pytest.mark.parametrize("pattern", ["*_im.tif", "*.tif", "* (1).png", "{id}_im.tif", "{id}.png"])
def test_READ_18_a_pattern_of_file_names_is_text(pattern: str) -> None:
    after, problems = changed(f"data.image={pattern}")
    assert problems == []
    assert after["data"]["image"] == pattern


def test_READ_18_the_remedy_for_patterns_in_lists_works() -> None:
    _, problems = changed("data.exclude=[*_a, b]")
    assert """as 'data.image="*_im.tif"'""" in problems[0]
    after, problems = changed('data.exclude=["*_a", b]')  # as a shell passes it on
    assert problems == []
    assert after["data"]["exclude"] == ["*_a", "b"]


def test_a_changed_value_is_placed_on_the_command_line() -> None:
    root, _ = read_text(TEXT, lambda line: Where("r.yaml", line))
    after, _ = apply(root, ["loss.dice.weight=2"])
    node: Node = after
    for step in ("loss", 1, "weight"):
        assert isinstance(node.value, (dict, list))
        node = node.value[step]  # type: ignore[index]
    assert str(node.where) == "-s loss.dice.weight=2"
