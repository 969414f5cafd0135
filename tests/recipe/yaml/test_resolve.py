"""The implied stage, train, and the order of extends, changes and train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamina.options.nodes import plain_value
from lamina.recipe.yaml.resolve import resolve


def resolved(folder: Path, text: str, *overrides: str) -> Any:
    path = folder / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return plain_value(resolve(path, overrides).root)


def test_changes_come_before_train_is_laid_under_the_stages(tmp_path: Path) -> None:
    text = "train: {lr: 1, batch: 2}\nstages: [{name: a, lr: 3}, {name: b}]"
    found = resolved(tmp_path, text, "train.lr=7", "stages.b.batch=5")
    assert found["stages"] == [
        {"name": "a", "lr": 7, "batch": 2},
        {"name": "b", "lr": 7, "batch": 5},
    ]


def test_train_alone_is_one_stage_called_main_that_changes_can_name(tmp_path: Path) -> None:
    found = resolved(tmp_path, "train: {lr: 1}", "stages.main.epochs=4")
    assert found == {"stages": [{"name": "main", "lr": 1, "epochs": 4}]}


def test_train_may_stand_on_the_command_line_only(tmp_path: Path) -> None:
    assert resolved(tmp_path, "a: 1", "train.lr=2") == {
        "a": 1,
        "stages": [{"name": "main", "lr": 2}],
    }
    assert resolved(tmp_path, "a: 1", "stages.main.lr=2") == {
        "a": 1,
        "stages": [{"name": "main", "lr": 2}],
    }


def test_without_train_and_stages_none_is_made_up(tmp_path: Path) -> None:
    assert resolved(tmp_path, "a: 1", "a=2") == {"a": 2}


def test_an_empty_train_changes_nothing(tmp_path: Path) -> None:
    text = "train:\nstages: [{name: a}]"
    assert resolved(tmp_path, text) == {"stages": [{"name": "a"}]}


def test_the_train_of_a_lower_recipe_lies_under_the_stages_of_the_upper(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text("train: {lr: 1, batch: 2}", encoding="utf-8")
    text = "extends: low.yaml\ntrain: {lr: 3}\nstages: [{name: a}]"
    assert resolved(tmp_path, text)["stages"] == [{"name": "a", "lr": 3, "batch": 2}]
