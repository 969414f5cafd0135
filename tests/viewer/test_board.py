"""Scores at any threshold equal those of deciding every pixel; orders; curves from a byte on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.targets.ground_truth import truth
from lamina.viewer.board import SORTS, Board


@pytest.mark.parametrize("text", ["0.5:0;0.5:0", "0.05:0;0.95:0", "0.3:300;0.3:10", "0.85:0;1:0"])
def test_scores_are_those_of_decided_pixels(board: Board, text: str) -> None:
    metric, decision = board.run.recipe.metric, board.decision(text)
    tallies = []
    for number, one in enumerate(board.cases):
        target, valid = truth(one.case, board.task)
        tally = metric.tally(decision(one.predictions.prob(one.case.id)), target, valid)
        assert board.case_score(number, text) == metric.score([tally]).value
        tallies.append(tally)
    assert board.score(text) == pytest.approx(metric.score(tallies).value, abs=1e-12)


def test_a_single_class_is_scored_alike(volume_board: Board) -> None:
    metric = volume_board.run.recipe.metric
    for text in ("0.5:0", "0.5:100000"):
        (one,) = volume_board.cases
        target, _ = truth(one.case, volume_board.task)
        mask = volume_board.decision(text)(one.predictions.prob(one.case.id))
        wanted = metric.score([metric.tally(mask, target, None)]).value
        assert volume_board.score(text) == pytest.approx(wanted, abs=1e-12)


def test_without_a_text_the_decision_of_the_run_counts(board: Board) -> None:
    assert board.judgement.summary is not None
    assert board.score("") == board.judgement.summary["value"]
    masks = board.decided(0, "")
    one = board.cases[0]
    assert (masks == board.run.decision(one.predictions.prob(one.case.id))).all()
    assert board.case_score(0, "") == one.value


@pytest.mark.parametrize("text", ["0.5:0", "a:0;b:0", "0.5;0.5", "2:0;0.5:0", "0.5:-1;0.5:0"])
def test_what_is_no_decision_is_refused(board: Board, text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        board.decided(0, text)


def test_cases_are_listed_in_every_order(board: Board) -> None:
    for sort in SORTS:
        assert sorted(row["number"] for row in board.listed(sort, None, None)) == list(range(6))
    worst = [row["value"] for row in board.listed("worst", None, None)]
    assert worst == sorted(worst)
    assert {row["fold"] for row in board.listed("id", None, 1)} == {1}
    shown = [row["number"] for row in board.listed("id", 0, None)]
    assert shown == [n for n in range(6) if truth(board.cases[n].case, board.task)[0][0].any()]


def test_values_have_no_thresholds(restored_run: Path) -> None:
    from lamina.reporting.run_contents import Run
    from lamina.viewer.run import opened_board

    board = opened_board(Run.open(restored_run), None)
    assert not board.slides
    assert board.state()["baseline"] is None
    assert len(board.listed("worst", None, None)) == 4
    assert np.isfinite(board.score("") or np.nan)


def test_curves_are_read_on_from_a_byte_without_a_line_that_is_not_whole(board: Board) -> None:
    log = board.run.folder / "fold0" / "metrics.jsonl"
    log.write_bytes(b'{"loss": 1.0}\n{"loss": 0.5}\n')
    first = board.curves({})
    assert set(first) == {"fold0", "fold1"}
    end = first["fold0"]["end"]
    with log.open("ab") as file:
        file.write(b'{"loss": 0.25}\n{"loss": 0.')
    found = board.curves({"fold0": end})["fold0"]
    assert found["rows"] == [{"loss": 0.25}]
    with log.open("ab") as file:
        file.write(b"125}\n")
    assert board.curves({"fold0": found["end"]})["fold0"]["rows"] == [{"loss": 0.125}]
    log.write_bytes(b'{"loss": 1.0}\n')  # begun anew
    assert board.curves({"fold0": found["end"]})["fold0"]["rows"] == [{"loss": 1.0}]
