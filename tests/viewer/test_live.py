"""Curves from a byte on, where a training stands, and the worst cases of its last validation."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lamina.files import locked, write_json
from lamina.recipe.load import load_recipe
from lamina.viewer.live import Training, standing_of


def test_curves_are_read_on_from_a_byte_without_a_line_that_is_not_whole(run_folder: Path) -> None:
    training = Training(run_folder)
    log = run_folder / "fold0" / "metrics.jsonl"
    log.write_bytes(b'{"loss": 1.0}\n{"loss": 0.5}\n')
    first = training.curves({})
    assert set(first) == {"fold0", "fold1"}
    end = first["fold0"]["end"]
    with log.open("ab") as file:
        file.write(b'{"loss": 0.25}\n{"loss": 0.')
    found = training.curves({"fold0": end})["fold0"]
    assert found["rows"] == [{"loss": 0.25}]
    with log.open("ab") as file:
        file.write(b"125}\n")
    assert training.curves({"fold0": found["end"]})["fold0"]["rows"] == [{"loss": 0.125}]
    log.write_bytes(b'{"loss": 1.0}\n')  # begun anew
    assert training.curves({"fold0": found["end"]})["fold0"]["rows"] == [{"loss": 1.0}]


def test_a_training_runs_as_long_as_its_folder_is_held(run_folder: Path) -> None:
    training = Training(run_folder)
    assert not training.running
    with locked(run_folder):
        assert training.running
        (lock,) = run_folder.glob("*.lock")
        os.utime(lock, (time.time() - 100, time.time() - 100))  # as after a kill
        assert not training.running
    assert training.state(load_recipe("steel-laptop"))["now"] is None


def test_the_fold_that_is_trained_now_is_told(run_folder: Path) -> None:
    write_json(run_folder / "fold0" / "member.json", {})
    with locked(run_folder):
        state = Training(run_folder).state(load_recipe("steel-laptop", ["train.epochs=20"]))
    assert state["finished"] == ["fold0"]
    assert state["now"]["fold"] == "fold1"
    assert (state["now"]["epoch"], state["now"]["epochs"]) == (9, 20)
    assert 0 < state["now"]["seconds_left"] <= 11  # a second for each
    assert state["now"]["left_by"] is None


@pytest.mark.parametrize(("seconds", "left"), [(5, 5), (-3, 0)])
def test_a_fold_that_must_be_over_earlier_says_so(
    run_folder: Path, seconds: float, left: float
) -> None:
    write_json(run_folder / "fold0" / "member.json", {})
    write_json(run_folder / "fold1" / "deadline.json", {"at": time.time() + seconds})
    with locked(run_folder):
        now = Training(run_folder).state(load_recipe("steel-laptop", ["train.epochs=20"]))["now"]
    assert now["left_by"] == "limit"
    assert now["seconds_left"] == pytest.approx(left, abs=2)


@pytest.mark.parametrize("text", ["{", '{"at": "soon"}', '{"at": null}', "[]"])
def test_a_damaged_note_of_the_limit_is_as_none(run_folder: Path, text: str) -> None:
    (run_folder / "fold0" / "deadline.json").write_text(text, encoding="utf-8")
    with locked(run_folder):
        now = Training(run_folder).state(load_recipe("steel-laptop", ["train.epochs=20"]))["now"]
    assert now["left_by"] is None


@pytest.mark.parametrize(
    ("rows", "age", "limit", "wanted"),
    [
        ([], None, None, ("half", 0, 2, None, None)),
        ([], None, 30.0, ("half", 0, 2, 30.0, "limit")),
        ([("half", 0, 10.0)], 4.0, None, ("half", 1, 2, 10.0 + 3 * 10.0 - 4.0, None)),
        ([("half", 0, 10.0)], 4.0, 35.0, ("half", 1, 2, 35.0, "limit")),
        ([("half", 0, 10.0)], 4.0, 37.0, ("half", 1, 2, 36.0, "epochs")),
        ([("half", 0, 10.0), ("half", 1, 20.0)], 0.0, None, ("full", 0, 3, 45.0, None)),
        ([("half", 1, 8.0), ("full", 2, 8.0)], 0.0, 0.0, ("full", 3, 3, 0.0, "epochs")),
    ],
)
def test_time_left_is_that_of_the_last_epochs_or_of_the_limit(
    rows: list[tuple[str, int, float]],
    age: float | None,
    limit: float | None,
    wanted: tuple[str, int, int, float | None, str | None],
) -> None:
    recipe = load_recipe("xray-laptop", ["stages.half.epochs=2", "stages.full.epochs=3"])
    log = [{"stage": stage, "epoch": epoch, "seconds": s} for stage, epoch, s in rows]
    found = standing_of(log, recipe, age, limit)
    assert tuple(found.values()) == wanted


def test_the_fold_that_was_validated_last_shows_its_worst_cases(run_folder: Path) -> None:
    training = Training(run_folder)
    assert training.worst() == {}
    for fold, age in (("fold0", 50), ("fold1", 5)):
        path = run_folder / fold / "validation.json"
        write_json(path, {"stage": "main", "epoch": 3, "cases": [{"id": fold}]})
        os.utime(path, (time.time() - age, time.time() - age))
    assert training.worst() == {
        "fold": "fold1",
        "stage": "main",
        "epoch": 3,
        "cases": [{"id": "fold1"}],
    }
    (run_folder / "fold1" / "validation.json").write_text("{", encoding="utf-8")
    assert training.worst() == {}
