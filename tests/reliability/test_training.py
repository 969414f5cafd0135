"""Kills at chosen moments, a clock that jumps, and one seed twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from lamina.bundle import Bundle
from lamina.files import digest, read_json
from lamina.training.run import train
from lamina.training.stage import loop
from lamina.tuning.tune import tune
from tests.factories.discs import discs, quick

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

FORK = multiprocessing.get_context("fork")
STAGED = (
    "deterministic=true",
    "train.epochs=2",
    "stages=[{name: first}, {name: second, start: first}]",
)


def in_child(work: Any, *, fault: str) -> int | None:
    """Run ``work`` in a child that dies at a point of ``lamina.files.fault``."""

    def dying() -> None:
        os.environ["LAMINA_FAULT"] = fault
        work()

    child = FORK.Process(target=dying)
    child.start()
    child.join(240)
    return child.exitcode


def rows(fold: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in found]


def weights(run: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in (run / "bundle" / "members").iterdir()}


def test_c07_killed_between_two_stages_the_first_is_not_trained_again(tmp_path: Path) -> None:
    """C07: at the first save of the second stage, and at the one that ends it."""
    data, recipe = discs(tmp_path / "data", count=4), quick(tmp_path, *STAGED)

    def work(out: Path, minutes: float = 0) -> None:
        train(recipe, data=data, out=out, folds=[0], workers=0, save_minutes=minutes)

    work(tmp_path / "whole", 10)
    # Saves of a stage: one after its only batch, one after each of two epochs, and one at its end.
    for number in (6, 10):
        out = tmp_path / f"killed{number}"
        ended = in_child(lambda out=out: work(out), fault=f"state.before_index:{number}")
        assert ended == -signal.SIGKILL
        first = out / "fold0" / "first"
        before = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
        trained = [row["stage"] for row in rows(out / "fold0")]
        work(out)
        after = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
        assert {name: after[name] for name in before} == before
        assert [row["stage"] for row in rows(out / "fold0")] == [
            "first",
            "first",
            "second",
            "second",
        ]
        assert trained[:2] == ["first", "first"]
        assert weights(out) == weights(tmp_path / "whole")
        assert rows(out / "fold0") == rows(tmp_path / "whole" / "fold0")


def test_c08_killed_long_after_the_last_save_the_run_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C08, C01: epochs since the last save are trained again, with the files that it names."""
    data = discs(tmp_path / "data", count=4)
    recipe = quick(tmp_path, "deterministic=true", "train.epochs=4", "train.ema={decay: 0.5}")

    def work(out: Path) -> None:
        train(recipe, data=data, out=out, folds=[0], workers=0)

    work(tmp_path / "whole")
    fold, write = tmp_path / "killed" / "fold0", loop._write_row

    def fatal(job: Any, position: Any, row: Any) -> None:
        write(job, position, row)
        if position.rows == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(loop, "_write_row", fatal)
    assert in_child(lambda: work(fold.parent), fault="") == -signal.SIGKILL
    monkeypatch.undo()
    (save,) = (fold / "state").glob("*/position.json")
    position = read_json(save)
    assert (position["epoch"], len(rows(fold))) == (1, 3)
    assert [(fold / "main" / one["file"]).is_file() for one in position["kept"]] == [True]
    work(fold.parent)
    assert weights(fold.parent) == weights(tmp_path / "whole")
    assert rows(fold) == rows(tmp_path / "whole" / "fold0")


def test_c13_a_clock_that_is_set_back_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C13: times are those of a clock that only goes on; the best epoch is by its score."""
    data = discs(tmp_path / "data", count=4)
    recipe = quick(tmp_path, "deterministic=true", "train.epochs=3")
    train(recipe, data=data, out=tmp_path / "plain", folds=[0], workers=0)
    real, looks = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * (next(looks) % 3))
    found = train(recipe, data=data, out=tmp_path / "back", folds=[0], workers=0)
    monkeypatch.undo()
    assert found.seconds >= 0
    lines = (tmp_path / "back" / "fold0" / "metrics.jsonl").read_text().splitlines()
    for line in lines:
        row = json.loads(line)
        assert 0 <= row["train_seconds"] <= row["seconds"] < 600
    assert rows(tmp_path / "back" / "fold0") == rows(tmp_path / "plain" / "fold0")
    assert weights(tmp_path / "back") == weights(tmp_path / "plain")


def test_n03_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    """N03, R7: weights, metrics and held-out answers of two runs."""
    data = discs(tmp_path / "data", count=4)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        recipe = quick(tmp_path, "deterministic=true", f"seed={seed}", "train.epochs=2")
        train(recipe, data=data, out=tmp_path / name, workers=0)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert rows(tmp_path / "a" / "fold1") == rows(tmp_path / "b" / "fold1")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")
    for path in (tmp_path / "a").glob("fold*/oof/probabilities/*.npy"):
        assert digest(path) == digest(tmp_path / "b" / path.relative_to(tmp_path / "a"))


def test_b11_a_search_that_is_killed_leaves_the_old_decision_and_is_done_again(
    tmp_path: Path,
) -> None:
    """B11, W14: killed at each of its writes; the same command ends with the same numbers."""
    data = discs(tmp_path / "data", count=4)
    run = tmp_path / "run"
    train(quick(tmp_path), data=data, out=run, workers=0)
    untuned = Bundle.load(run / "bundle").decision
    for passage in (1, 2, 3):
        assert in_child(lambda: tune(run), fault=f"file.before_rename:{passage}") == -signal.SIGKILL
        assert Bundle.load(run / "bundle").decision == untuned
    found = tune(run)
    assert Bundle.load(run / "bundle").decision == found.decision
    again = tune(run)
    assert again.to_dict() == found.to_dict()
    assert list(run.rglob(".*partial*"))  # of the processes that were killed
    train(quick(tmp_path), data=data, out=run, workers=0)
    assert not list(run.rglob(".*partial*"))
