"""Words that are no command, and the help that answers to ``help``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lamina import __version__
from lamina.cli.main import app
from lamina.cli.verbs import BORROWED, ELSEWHERE, nearest
from lamina.demo import jobs
from lamina.evaluation import score
from lamina.outputs import objects
from lamina.prediction.run import predict
from lamina.training.ensembles import ensemble

VERBS = list(vars(get_command(app))["commands"])
LONGEST = 45  # what `lamina --help` shows without cutting


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("eval", "score"),
        ("val", "score"),
        ("init", "new"),
        ("viewer", "view"),
        ("fingerprint", "plan"),
        ("infer", "predict"),
        ("trian", "train"),
        ("Train", "train"),
        ("evalute", "score"),
    ],
)
def test_a_word_of_another_program_names_the_command_here(word: str, meant: str) -> None:
    done = CliRunner().invoke(app, [word, "x"])
    assert done.exit_code == 2
    assert f"No such command '{word}'; did you mean '{meant}'?" in done.stderr
    assert f"Commands: {', '.join(VERBS)}" in done.stderr


def test_serve_names_the_page_and_export() -> None:
    done = CliRunner().invoke(app, ["serve", "runs/tiles", "--port", "80"])
    assert done.exit_code == 2
    assert "No such command 'serve': docs/serve.md shows an HTTP endpoint" in done.stderr
    assert "`lamina export`" in done.stderr
    for word, said in ELSEWHERE.items():
        assert word not in {*VERBS, *BORROWED}
        for page in re.findall(r"docs/\w+\.md", said):
            assert (Path(__file__).parents[2] / page).is_file()


def test_a_word_like_no_other_lists_the_commands() -> None:
    done = CliRunner().invoke(app, ["xyzzy"])
    assert "No such command 'xyzzy'\nCommands: plan, new, check" in done.stderr


def test_borrowed_words_lead_to_commands_and_are_none_themselves() -> None:
    assert set(BORROWED.values()) <= {*VERBS, "--version"}
    assert set(BORROWED) & set(VERBS) == set()
    assert nearest("SCORE", VERBS) == "score"


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"]])
def test_help_lists_every_command_with_its_whole_sentence(words: list[str]) -> None:
    done = CliRunner().invoke(app, words, prog_name="lamina")
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    for verb in VERBS:
        (line,) = [line for line in lines if line.startswith(f"{verb} ")]
        sentence = line.removeprefix(verb).strip()
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert len(sentence) <= LONGEST


def test_help_of_a_command() -> None:
    told = [CliRunner().invoke(app, words).stdout for words in (["help", "tune"], ["tune", "-h"])]
    assert told[0] == told[1]
    assert "Example: lamina tune" in told[0]


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version(word: str) -> None:
    assert CliRunner().invoke(app, [word]).stdout == f"lamina {__version__}\n"


def test_python_m_lamina_is_the_program() -> None:
    words = [sys.executable, "-m", "lamina", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == (
        f"lamina {__version__}\n"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lamina pre", ["predict"]),
        ("lamina check steel-", ["steel-laptop", "steel-released"]),
        ("lamina tune run --decision t", ["threshold", "triplet"]),
        ("lamina train steel --dev", ["--device", "--devices"]),
    ],
)
def test_the_shell_completes_verbs_options_recipes_and_choices(line: str, words: list[str]) -> None:
    environment = {
        **os.environ,
        "_LAMINA_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    code = "from lamina.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == words


def test_choices_on_the_command_line_are_those_of_the_functions() -> None:
    choices: dict[tuple[str, str], Iterable[str]] = {
        ("predict", "members"): re.findall(r"'(\w+)'", predict.__annotations__["members"]),
        ("ensemble", "mean"): ensemble.MEANS,
        ("score", "part"): get_args(score.Part),
        ("objects", "kind"): get_args(objects.Kind),
        ("demo", "job"): jobs.JOBS,
    }
    for (verb, option), words in choices.items():
        said = " ".join(CliRunner().invoke(app, [verb, "-h"], terminal_width=200).stdout.split())
        (listed,) = re.findall(rf"{option} <([^>]+)>", said)
        assert set(listed.split("|")) == set(words)
