"""Trackers: refused by name, fed row by row, and switched off where they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerate import Accelerator

from lamina.errors import RecipeError
from lamina.training.stage.trackers import tracker
from tests.factories.training import tiny


@pytest.mark.parametrize(
    ("name", "said"), [("tensorbord", "must be one of"), ("clearml", "is not installed here")]
)
def test_an_unknown_or_missing_tracker_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """C14."""
    with (
        pytest.raises(RecipeError, match=said),
        tracker(Accelerator(cpu=True), [name], tmp_path, tiny(tmp_path)),
    ):
        pass


def test_tensorboard_gets_every_row(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    made = Accelerator(cpu=True)
    with tracker(made, ["tensorboard"], tmp_path, tiny(tmp_path)) as report:
        report({"fold0/loss": 0.5}, 1)
    logs = (tmp_path / "track").rglob("events.out.tfevents*")
    assert b"fold0/loss" in b"".join(path.read_bytes() for path in logs)


def test_a_tracker_that_fails_is_switched_off_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C14."""
    pytest.importorskip("tensorboard")
    made = Accelerator(cpu=True)
    with tracker(made, ["tensorboard"], tmp_path, tiny(tmp_path)) as report:
        (one,) = made.trackers

        def broken(row: dict[str, float], step: int) -> None:
            raise ConnectionError("no route")

        monkeypatch.setattr(one, "log", broken)
        report({"loss": 1.0}, 1)
        report({"loss": 1.0}, 2)
    assert capsys.readouterr().err.count("switched off: no route") == 1


def test_without_trackers_nothing_happens(tmp_path: Path) -> None:
    with tracker(Accelerator(cpu=True), [], tmp_path, tiny(tmp_path)) as report:
        report({"loss": 1.0}, 1)
