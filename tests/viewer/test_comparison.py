"""Pairs of cases, what the second folder gained, and what does not compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.files import read_object, write_json
from lamina.viewer.comparison import ORDERS, compared, names_of
from tests.factories.predictions import copied_predictions
from tests.viewer.conftest import shown


def test_gains_are_differences_of_scores_case_by_case(
    run_folder: Path, predictions: Path, tmp_path: Path
) -> None:
    first, second = shown(
        tmp_path / "scratch", run_folder, predictions, truth=tmp_path / "data"
    ).boards
    values = [{one.id: one.value for one in board.cases.values()} for board in (first, second)]
    for order in ORDERS:
        found = compared(first, second, order)
        assert len(found["pairs"]) == 6
        for row in found["pairs"]:
            assert row["values"] == [side[row["id"]] for side in values]
            assert row["gain"] == row["values"][1] - row["values"][0]
            assert first.cases[row["first"]].id == second.cases[row["second"]].id == row["id"]
    gains = [row["gain"] for row in compared(first, second, "gains")["pairs"]]
    losses = [row["gain"] for row in compared(first, second, "losses")["pairs"]]
    assert gains == sorted(gains, reverse=True)
    assert losses == sorted(losses)
    signs = [sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)]
    assert [found["better"], found["worse"], found["equal"]] == [*signs, 6 - sum(signs)]
    assert found["verdict"]["scores"] == [first.score(""), second.score("")]


def test_folders_of_one_name_are_told_apart() -> None:
    for one, other, wanted in (
        ("/runs/a", "/runs/b", ("a", "b")),
        ("/runs/a/pred", "/runs/b/pred", ("a/pred", "b/pred")),
        ("/x/a/pred", "/y/a/pred", ("x/a/pred", "y/a/pred")),
        ("/a/pred", "/a/pred", ("pred", "pred")),
        ("/pred", "/a/pred", ("/pred", "a/pred")),
    ):
        assert names_of(Path(one), Path(other)) == wanted


def test_the_same_predictions_neither_gain_nor_lose(run_folder: Path, tmp_path: Path) -> None:
    same = copied_predictions(run_folder, tmp_path / "pred")
    boards = shown(tmp_path / "scratch", run_folder, same, truth=tmp_path / "data").boards
    found = compared(*boards, "changes")
    assert (found["better"], found["worse"], found["equal"]) == (0, 0, 6)
    assert found["verdict"]["word"] == "not better"


def test_without_a_truth_pairs_change_by_what_is_predicted(
    run_folder: Path, predictions: Path, tmp_path: Path
) -> None:
    both = copied_predictions(run_folder, tmp_path / "other")
    found = compared(*shown(tmp_path / "scratch", both, predictions).boards, "changes")
    assert found["verdict"] is None
    assert {row["gain"] for row in found["pairs"]} == {None}
    changed = [row["changed"] for row in found["pairs"]]
    assert changed == sorted(changed, reverse=True)


def test_other_metrics_are_refused(run_folder: Path, predictions: Path, tmp_path: Path) -> None:
    values = read_object(run_folder / "recipe.json")
    write_json(run_folder / "recipe.json", values | {"metric": {"kind": "iou"}})
    with pytest.raises(RecipeError, match="have different metrics; look at each by itself"):
        shown(tmp_path / "scratch", run_folder, predictions)
