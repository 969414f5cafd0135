"""Folds on disk, leaks, and warnings about folds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.splits import check_groups, read_folds, warnings_of, write_folds
from lamina.errors import DataError, LeakError
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 2, 2), np.uint8))


def case(name: str, group: str, **facts: str) -> Case:
    return Case(name, group, IMAGE, facts=facts)


def test_folds_survive_there_and_back_whatever_the_names(tmp_path: Path) -> None:
    names = ["a.png", "b,c.png", 'd"e.png', "=1+1", "f\ng", "ünder/één"]
    cases = [case(name, f"group {i}") for i, name in enumerate(names)]
    folds = [0, 1, 2, -1, 0, 1]
    write_folds(tmp_path / "folds.csv", cases, folds)
    assert read_folds(tmp_path / "folds.csv") == dict(zip(names, folds, strict=True))
    assert (tmp_path / "folds.csv").read_text().splitlines()[:2] == [
        '"case","group","fold"',
        '"a.png","group 0",0',
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,group\na,b\n", ["line 1", "needed are case and fold"]),
        ("case,fold\na,0\nb,x\n", ["line 3", "'x' is not a whole number"]),
        ("case,fold\na,0\nb,1\na,1\n", ["line 4", "'a' is repeated"]),
    ],
)
def test_broken_folds_are_refused_with_the_line(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_folds(tmp_path / "folds.csv")
    for word in words:
        assert word in str(caught.value)


def test_every_group_on_both_sides_is_listed_with_its_cases() -> None:
    """L12."""
    cases = [case("a", "x"), case("b", "x"), case("c", "y"), case("d", "z"), case("e", "z")]
    check_groups(cases, [0, 0, 1, 1, 1])
    with pytest.raises(LeakError) as caught:
        check_groups(cases, [0, 1, 1, 2, -1])
    assert str(caught.value).splitlines() == [
        "2 groups are on both sides of the split; put each into one fold",
        "  group x",
        "    fold 0: a",
        "    fold 1: b",
        "  group z",
        "    fold -1: e",
        "    fold 2: d",
    ]


def test_a_fold_without_any_class_is_warned_of() -> None:
    """L07."""
    cases = [case("a", "a", classes="1"), case("b", "b", classes=""), case("c", "c", classes="")]
    assert warnings_of(cases, [0, 0, 0]) == []
    (warning,) = warnings_of(cases, [0, 1, 1])
    assert warning.startswith("fold 1: none of its 2 cases")
    assert warnings_of([case("a", "a"), case("b", "b")], [0, 1]) == []  # unknown is not empty


def test_splits_of_nnunet_are_folds(tmp_path: Path) -> None:
    parts = [{"train": ["b", "c", "d"], "val": ["a"]}, {"train": ["a", "d"], "val": ["b", "c"]}]
    path = tmp_path / "splits_final.json"
    path.write_text(json.dumps(parts))
    assert read_folds(path) == {"a": 0, "b": 1, "c": 1, "d": -1}
    path.write_text(json.dumps([*parts, {"train": [], "val": ["a"]}]))
    with pytest.raises(DataError, match=r"case 'a' is held out in the splits 0 and 2"):
        read_folds(path)
    for damaged in ('{"train": []}', '[3, {"val": ["a"]}]', '[{"train": null, "val": ["a"]}]'):
        path.write_text(damaged)
        with pytest.raises(DataError, match="no list of splits"):
            read_folds(path)
