"""Scores at any threshold equal those of deciding every pixel; orders; what is new appears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.targets.ground_truth import truth
from lamina.evaluation.score import score
from lamina.files import read_object, write_json
from lamina.prediction.folder.predictions import Predictions
from lamina.reporting.judged_cases import judge
from lamina.reporting.run_contents import Run
from lamina.viewer.board import SORTS, Board
from tests.viewer.conftest import shown


@pytest.mark.parametrize("text", ["0.5:0;0.5:0", "0.05:0;0.95:0", "0.3:300;0.3:10", "0.85:0;1:0"])
def test_scores_are_those_of_decided_pixels(board: Board, text: str) -> None:
    metric, decision = board.recipe.metric, board.read_decision(text)
    tallies = []
    for number, one in board.cases.items():
        target, valid = truth(one.found.case, board.task)
        masks = decision(one.found.predictions.prob(one.id))
        tally = metric.tally(masks, target, valid)
        answer = board.case_score(number, text)
        assert answer["value"] == metric.score([tally]).value
        assert answer["pixels"] == masks.sum(axis=(1, 2)).tolist()
        tallies.append(tally)
    assert board.score(text) == pytest.approx(metric.score(tallies).value, abs=1e-12)


def test_a_single_class_is_scored_alike(volume_board: Board) -> None:
    metric = volume_board.recipe.metric
    for text in ("0.5:0", "0.5:100000"):
        (one,) = volume_board.cases.values()
        target, _ = truth(one.found.case, volume_board.task)
        mask = volume_board.read_decision(text)(one.found.predictions.prob(one.id))
        wanted = metric.score([metric.tally(mask, target, None)]).value
        assert volume_board.score(text) == pytest.approx(wanted, abs=1e-12)


def test_without_a_text_the_decision_of_the_run_counts(board: Board, run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    assert judgement.summary is not None
    assert board.score("") == judgement.summary["value"]
    assert board.state()["baseline"] == judgement.summary["baseline_empty"]
    for one, known in zip(board.cases.values(), judgement.cases, strict=True):
        assert (one.id, one.value, one.pixels) == (known.case.id, known.value, known.pixels)


@pytest.mark.parametrize("text", ["0.5:0", "a:0;b:0", "0.5;0.5", "2:0;0.5:0", "0.5:-1;0.5:0"])
def test_what_is_no_decision_is_refused(board: Board, text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        board.read_decision(text)


def test_cases_are_listed_in_every_order(board: Board) -> None:
    for sort in SORTS:
        assert sorted(row["number"] for row in board.listed(sort, None, None)) == list(range(6))
    worst = [row["value"] for row in board.listed("worst", None, None)]
    assert worst == sorted(worst)
    assert {row["fold"] for row in board.listed("id", None, 1)} == {1}
    numbers = [row["number"] for row in board.listed("id", 0, None)]
    known = [n for n in range(6) if truth(board.cases[n].found.case, board.task)[0][0].any()]
    assert numbers == known


def test_values_have_no_thresholds(restored_run: Path, tmp_path: Path) -> None:
    (board,) = shown(tmp_path / "scratch", restored_run).boards
    assert not board.slides
    assert board.state()["baseline"] is None
    assert len(board.listed("worst", None, None)) == 4
    assert np.isfinite(board.score("") or np.nan)


@pytest.mark.parametrize("over", ["image", "foreground"])
def test_a_score_of_all_classes_merged_is_not_guessed_from_histograms(
    run_folder: Path, tmp_path: Path, over: str
) -> None:
    values = read_object(run_folder / "recipe.json")
    write_json(run_folder / "recipe.json", values | {"metric": values["metric"] | {"over": over}})
    (board,) = shown(tmp_path / "scratch", run_folder).boards
    text = "0.05:0;0.95:0"
    assert board.score(text) is None
    metric, decision = board.metric, board.read_decision(text)
    for number, one in board.cases.items():
        target, valid = truth(one.found.case, board.task)
        tally = metric.tally(decision(one.found.predictions.prob(one.id)), target, valid)
        assert board.case_score(number, text)["value"] == metric.score([tally]).value


def test_predictions_without_a_truth_have_no_score(predictions: Path, tmp_path: Path) -> None:
    (board,) = shown(tmp_path / "scratch", predictions).boards
    state = board.state()
    assert (state["count"], state["truth"], state["value"], state["folds"]) == (6, False, None, [])
    for number, one in board.cases.items():
        masks = board.decision(one.found.predictions.prob(one.id))
        answer = board.case_score(number, "")
        assert answer == {"value": None, "pixels": masks.sum(axis=(1, 2)).tolist()}
        assert one.pixels == (0.0, float(masks.any(axis=0).sum()), 0.0)
    largest = [row["predicted"] for row in board.listed("largest", None, None)]
    assert largest == sorted(largest, reverse=True)
    assert {row["number"] for row in board.listed("id", 0, None)} == {
        n
        for n, one in board.cases.items()
        if board.decision(one.found.predictions.prob(one.id))[0].any()
    }


def test_predictions_with_a_truth_are_scored_as_by_the_command(
    predictions: Path, tmp_path: Path
) -> None:
    (board,) = shown(tmp_path / "scratch", predictions, truth=tmp_path / "data").boards
    wanted = score(predictions, tmp_path / "data", index=tmp_path / "index.jsonl")
    state = board.state()
    assert (state["value"], state["baseline"]) == (wanted.value, wanted.baseline_empty)
    text = "0.05:0;0.05:0"
    again = Predictions.open(predictions).with_decision(board.read_decision(text))
    tallies = [
        board.metric.tally(again.mask(one.id), *truth(one.found.case, board.task))
        for one in board.cases.values()
    ]
    assert board.score(text) == pytest.approx(board.metric.score(tallies).value, abs=1e-12)


def test_images_that_moved_are_found_and_missing_ones_are_told(
    predictions: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").rename(tmp_path / "moved")
    (board,) = shown(tmp_path / "scratch", predictions).boards
    assert board.state()["count"] == 0
    assert len(board.problems) == 6
    assert "name the folder of images by --data" in board.problems[0]
    (board,) = shown(tmp_path / "scratch2", predictions, data=tmp_path / "moved").boards
    assert (board.state()["count"], board.problems) == (6, [])


def test_what_is_predicted_later_appears_and_keeps_its_number(
    run_folder: Path, tmp_path: Path
) -> None:
    ledger = run_folder / "fold1" / "oof" / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:1]))
    (board,) = shown(tmp_path / "scratch", run_folder).boards
    ids = {number: one.id for number, one in board.cases.items()}
    assert (len(ids), board.state()["asked"]) == (4, 6)
    assert not board.refresh()
    ledger.write_bytes(b"".join(lines) + b'{"id": "cut')
    assert board.refresh()
    now = {number: one.id for number, one in board.cases.items()}
    assert len(now) == 6
    assert {number: now[number] for number in ids} == ids
    (run_folder / "fold0" / "oof" / "ledger.jsonl").write_bytes(b"")
    assert board.refresh()
    assert len(board.cases) == 3


def test_another_decision_of_the_run_is_taken_up(run_folder: Path, tmp_path: Path) -> None:
    (board,) = shown(tmp_path / "scratch", run_folder).boards
    before = board.score("")
    values = read_object(run_folder / "recipe.json")
    other = values | {"decide": values["decide"] | {"threshold": 0.95}}
    write_json(run_folder / "recipe.json", other)
    assert board.refresh()
    assert board.score("") != before
    assert board.score("") == board.state()["baseline"]


def test_a_damaged_case_is_told_and_the_others_are_shown(run_folder: Path, tmp_path: Path) -> None:
    folder = run_folder / "fold0" / "oof" / "probabilities"
    bad = min(folder.iterdir())
    bad.write_bytes(bad.read_bytes()[:-1])
    (board,) = shown(tmp_path / "scratch", run_folder).boards
    assert len(board.cases) == 5
    assert len(board.problems) == 1
    assert bad.name in board.problems[0]
