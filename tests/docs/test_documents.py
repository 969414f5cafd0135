"""The documents are true to the program: commands parse, recipes load, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tools.pages import markdown
from tools.pages.commands import commands

from lamina.cli.main import app
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe, names, text_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
VERBS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
REFUSED_ON_PURPOSE = "error:"


def blocks(document: Path, language: str) -> Iterator[str]:
    for block in markdown.blocks(document.read_text(encoding="utf-8")):
        if block.language == language and "skip" not in block.notes:
            yield block.text


def commands_in(block: str) -> Iterator[tuple[list[str], str]]:
    """Yield the words of each ``$ lamina`` line, and what is shown below it."""
    for command in commands(block):
        if command.words[0] == "lamina":
            yield command.words, command.output


def parse(words: list[str]) -> dict[str, Any]:
    """Return the parameters of a command line, checked by the program but not run."""
    if ">" in words:
        words = words[: words.index(">")]
    verb, *rest = words[1:]
    assert verb in VERBS, f"'{verb}' is no verb"
    return dict(VERBS[verb].make_context(verb, rest).params)


def every_command() -> list[tuple[str, list[str], str]]:
    found = [
        (document.name, words, answer)
        for document in DOCUMENTS
        for block in blocks(document, "console")
        for words, answer in commands_in(block)
    ]
    recipes = "\n".join(line for name in names() for line in text_of(name).splitlines())
    lines = re.findall(r"^#   (lamina .*)$", recipes, re.MULTILINE)
    lines += [verb.epilog.removeprefix("Example: ") for verb in VERBS.values()]
    return found + [("in the package", shlex.split(line), "") for line in lines]


def test_there_are_commands_to_check() -> None:
    verbs = {words[1] for _, words, _ in every_command()}
    assert verbs == set(VERBS)


@pytest.mark.parametrize(
    "line", ["lamina trian steel", "lamina train steel --data . --out run --epochs 3"]
)
def test_what_the_program_does_not_know_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"trian|No such option"):
        parse(shlex.split(line))


@pytest.mark.parametrize(("document", "words", "answer"), every_command())
def test_every_command_parses_and_its_changes_fit_the_recipe(
    document: str, words: list[str], answer: str
) -> None:
    given = parse(words)
    recipe = given.get("recipe")
    if words[1] not in ("check", "train") or recipe not in names():
        return
    changes = list(given["changes"] or ())
    if answer.startswith(REFUSED_ON_PURPOSE):
        with pytest.raises(RecipeError):
            load_recipe(str(recipe), changes)
    else:
        load_recipe(str(recipe), changes)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_recipe_shown_is_sound(document: Path, tmp_path: Path) -> None:
    for block in blocks(document, "yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        assert name, "a recipe begins with a comment that names its file"
        path = tmp_path / name[1]
        path.write_text(block, encoding="utf-8")
        load_recipe(path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_first_screen_stays_light() -> None:
    assert (ROOT / "docs" / "images" / "strip.png").stat().st_size < 300_000


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_shown_compiles(document: Path) -> None:
    for block in blocks(document, "python"):
        compile(block, document.name, "exec")
