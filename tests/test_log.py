"""log.txt: everything that was said, whole lines, in the folders that were named."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from lamina.log import LOG, keep_log, note, session
from lamina.progress import LOGGER, Bar, Level, detail, say, showing


def messages(folder: Path) -> list[str]:
    """Return the lines of a log without their times."""
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    return [line[len("2026-01-31 12:00:00  ") :] for line in lines]


def folders(root: Path, *names: str) -> list[Path]:
    made = [root / name for name in names]
    for path in made:
        path.mkdir()
    return made


def test_a_block_is_logged_with_times(tmp_path: Path) -> None:
    say("before")
    with keep_log(tmp_path):
        say("device cpu")
        detail("a detail")
        note("only here")
    say("after")
    assert messages(tmp_path) == ["device cpu", "a detail", "only here"]
    first = (tmp_path / LOG).read_text(encoding="utf-8").splitlines()[0]
    assert first[4] == first[7] == "-"
    assert first[13] == first[16] == ":"


def test_a_session_also_logs_what_was_said_before_and_after(tmp_path: Path) -> None:
    run, member = folders(tmp_path, "run", "member")
    with session():
        say("opening")
        with keep_log(run):
            say("training")
            with keep_log(member):
                say("fold 0")
            with keep_log(run):
                say("joining")
        note("trained run")
    say("after")
    assert messages(run) == ["opening", "training", "fold 0", "joining", "trained run"]
    assert messages(member) == ["fold 0"]


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with session():
        say("a mistake")
    assert list(tmp_path.iterdir()) == []


def test_logs_are_appended_and_a_cut_line_is_ended(tmp_path: Path) -> None:
    with keep_log(tmp_path):
        say("first")
    with (tmp_path / LOG).open("ab") as stream:
        stream.write(b"2026-01-31 12:00:00  cut o")
    with keep_log(tmp_path):
        say("second")
    assert messages(tmp_path) == ["first", "cut o", "second"]


def test_a_log_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LOG).mkdir()
    with keep_log(tmp_path):
        say("one")
        say("two")
    assert capsys.readouterr().err.splitlines() == [
        "one",
        f"{tmp_path / LOG}: cannot be written ({os.strerror(21)}); no log is kept",
        "two",
    ]


def test_the_logger_is_left_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger(LOGGER)
    before = (logger.level, list(logger.handlers))
    with session(), keep_log(tmp_path):
        say("x")
    assert (logger.level, list(logger.handlers)) == before
    with pytest.raises(ZeroDivisionError), session(), keep_log(tmp_path):
        raise ZeroDivisionError
    assert (logger.level, list(logger.handlers)) == before


@pytest.mark.parametrize(
    ("level", "shown"),
    [(Level.QUIET, []), (Level.NORMAL, ["line"]), (Level.VERBOSE, ["line", "more"])],
)
def test_levels_change_what_is_shown_and_not_what_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], level: Level, shown: list[str]
) -> None:
    with showing(level), keep_log(tmp_path):
        say("line")
        detail("more")
    assert capsys.readouterr().err.splitlines() == shown
    assert messages(tmp_path) == ["line", "more"]


def test_a_bar_logs_what_was_done(tmp_path: Path) -> None:
    with keep_log(tmp_path), Bar("scoring", 3) as bar:
        bar.advance()
        bar.advance(2)
    (line,) = messages(tmp_path)
    assert line.startswith("scoring  3 of 3  in ")
