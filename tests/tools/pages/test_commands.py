"""Commands of a console block, split and run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.pages.commands import Command, commands, run

BLOCK = """\
$ lamina new --list
folder-laptop  One class.
$ lamina train mine.yaml --data x \\
    -s a=1   # a comment
$ lamina new steel > tiles.yaml

"""


def test_a_block_is_split_into_commands_and_what_they_show() -> None:
    first, second, third = commands(BLOCK)
    assert first == Command("$ lamina new --list\n", "folder-laptop  One class.\n")
    assert second.words == ["lamina", "train", "mine.yaml", "--data", "x", "-s", "a=1"]
    assert third.words == ["lamina", "new", "steel", ">", "tiles.yaml"]
    assert "".join(one.source + one.output for one in (first, second, third)) == BLOCK


def test_of_one_command_all_else_is_output() -> None:
    (only,) = commands("$ lamina demo\n\n$ lamina train\ntrained\n", one=True)
    assert only.output == "\n$ lamina train\ntrained\n"


@pytest.mark.parametrize("text", ["", "lamina new\n"])
def test_a_block_without_a_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"begins with '\$ '"):
        list(commands(text))


def test_lamina_runs_and_answers_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, output = run(["lamina", "new", "nothing-like-that"])
    assert status == 2
    assert output.startswith("error: ")
    status, output = run(["lamina", "new", "folder-laptop", ">", "mine.yaml"])
    assert (status, output) == (0, "")
    assert "name: folder-laptop" in (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert run(["cat", "mine.yaml"]) == (0, (tmp_path / "mine.yaml").read_text(encoding="utf-8"))
    assert run(["ls", "nowhere"])[0] != 0


def test_other_programs_are_not_run() -> None:
    with pytest.raises(ValueError, match="pages do not run 'pip'"):
        run(["pip", "install", "lamina"])
