"""What every command does alike: exit codes, one message, one JSON object, words of options."""

from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lamina.cli.command import (
    byte_count,
    command,
    is_bundle,
    shares,
    show,
    split_inputs,
    whole_numbers,
)
from lamina.errors import (
    BundleError,
    DataError,
    LaminaError,
    LeakError,
    PartialError,
    RecipeError,
    ResourceError,
    StoppedError,
)
from lamina.log import keep_log
from lamina.prediction.predict_result import FailedInput
from lamina.progress import detail, say


def failing_command(error: BaseException) -> Callable[..., None]:
    @command
    def failing(*, json: bool = False) -> None:
        raise error

    return failing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LaminaError("x"), 1),
        (RecipeError("x"), 2),
        (DataError("x"), 3),
        (LeakError("x"), 3),
        (BundleError("x"), 4),
        (PartialError("x"), 5),
        (ResourceError("x"), 6),
        (KeyboardInterrupt(), 130),
        (StoppedError("x", signal.SIGINT), 130),
        (StoppedError("x", signal.SIGTERM), 143),
    ],
)
def test_the_table_of_exit_codes(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left:
        failing_command(error)()
    assert left.value.exit_code == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        failing_command(ZeroDivisionError())()


def test_where_some_items_failed_json_still_lists_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = FailedInput("a.png", "cut")
    error = PartialError("pred: 1 case is done, 1 could not be read", failed)
    with pytest.raises(typer.Exit):
        failing_command(error)(json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"source": "a.png", "why": "cut"}
    assert said.err.startswith("error: pred: 1 case is done")
    with pytest.raises(typer.Exit):
        failing_command(error)(json=False)
    assert capsys.readouterr().out == ""


def test_typer_passes_the_exit_code_on() -> None:
    app = typer.Typer()
    app.command()(failing_command(DataError("a.png: cut off")))
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == 3
    assert done.stderr == "error: a.png: cut off\n"


def test_an_answer_is_one_object_or_text(capsys: pytest.CaptureFixture[str]) -> None:
    show({"a": 1}, json=True, text="one a")
    show({"a": 1}, json=False, text="one a")
    assert capsys.readouterr().out == '{"a": 1}\none a\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        show({"a": float("nan")}, json=True, text="")


def test_bundles_stand_in_front_of_inputs(tmp_path: Path) -> None:
    run, folder, packed = tmp_path / "run", tmp_path / "bundle", tmp_path / "b.zip"
    (run / "bundle").mkdir(parents=True)
    (run / "bundle" / "bundle.json").touch()
    folder.mkdir()
    (folder / "bundle.json").touch()
    images = tmp_path / "images"
    assert [is_bundle(path) for path in (run, folder, packed, images)] == [True, True, True, False]
    assert split_inputs([run, packed, images, folder]) == ([run, packed], [images, folder])
    with pytest.raises(RecipeError, match="neither a run folder"):
        split_inputs([images])
    with pytest.raises(RecipeError, match="no images to predict"):
        split_inputs([run])


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [(None, None), ("4G", 4 * 2**30), ("500M", 500 * 2**20), ("1.5GiB", 3 * 2**29), ("1024", 1024)],
)
def test_amounts_of_memory(text: str | None, bytes_: int | None) -> None:
    assert byte_count(text) == bytes_


@pytest.mark.parametrize("text", ["lots", "", "G", "4X"])
def test_no_amount_of_memory(text: str) -> None:
    with pytest.raises(RecipeError, match="such as 4G"):
        byte_count(text)


def test_whole_numbers() -> None:
    assert whole_numbers(None, "--folds") is None
    assert whole_numbers("0, 2", "--folds") == [0, 2]
    for text in ("a", "", "0,", "1.5"):
        with pytest.raises(RecipeError, match=f"--folds is '{text}'"):
            whole_numbers(text, "--folds")


@pytest.mark.parametrize(
    ("text", "places"),
    [(None, None), ("25%,50%, 75%", [0.25, 0.5, 0.75]), ("0.1", [0.1]), ("0", [0.0])],
)
def test_places_are_shares_or_per_cent(text: str | None, places: list[float] | None) -> None:
    assert shares("--slices", text) == places


@pytest.mark.parametrize("text", ["25", "100%", "-1%", "half", "", "nan"])
def test_places_beyond_the_axis_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="--slices is"):
        shares("--slices", text)


def logging_command(*, fail: bool = False, json: bool = False) -> None:
    out = Path("out")
    out.mkdir(exist_ok=True)
    say("opening")
    with keep_log(out):
        detail("a detail")
        warnings.warn("a library warns", stacklevel=1)
        if fail:
            raise ZeroDivisionError
        show({"a": 1}, json=json, text="one a")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """A program with one command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(command(logging_command))
    return app


@pytest.mark.filterwarnings("default:a library warns")
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], ["opening"]),
        (["-q"], []),
        (["--quiet"], []),
        (["-v"], ["$ lamina", "opening", "a detail"]),
        (["--verbose"], ["$ lamina", "opening", "a detail"]),
    ],
)
def test_quiet_and_verbose_change_the_terminal_and_not_the_log(
    program: typer.Typer, words: list[str], shown: list[str]
) -> None:
    done = CliRunner().invoke(program, words)
    assert done.exit_code == 0
    assert done.stdout == "one a\n"
    said = [line for line in done.stderr.splitlines() if "warn" not in line]
    assert [line[:8] if line.startswith("$") else line for line in said] == shown
    warned = [line for line in done.stderr.splitlines() if "warn" in line]
    assert warned == ([] if {"-q", "--quiet"} & set(words) else ["warning: a library warns"])
    log = Path("out/log.txt").read_text(encoding="utf-8")
    for word in ("$ lamina", "opening", "a detail", "a library warns", "one a"):
        assert word in log


@pytest.mark.filterwarnings("ignore:a library warns")
def test_the_traceback_of_a_bug_is_in_the_log(program: typer.Typer) -> None:
    done = CliRunner().invoke(program, ["--fail", "-q"])
    assert isinstance(done.exception, ZeroDivisionError)
    log = Path("out/log.txt").read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log
    assert "ZeroDivisionError" in log


def test_the_traceback_of_an_error_is_shown_on_demand() -> None:
    app = typer.Typer()
    app.command()(failing_command(DataError("a.png: cut off")))
    assert "Traceback" not in CliRunner().invoke(app, []).stderr
    assert "Traceback" in CliRunner().invoke(app, ["-v"]).stderr
