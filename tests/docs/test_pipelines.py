"""Every number of the published pipelines resolves in ``docs/pipelines.md``, and is tested."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lamina.cli.main import app
from lamina.recipe.load import load_recipe, names
from lamina.recipe.recipe import Recipe

ROOT = Path(__file__).parents[2]
COUNTS = {"STEEL": 24, "SIIM": 32, "INK": 28, "FAULT": 16, "NOISE": 19}
RECIPES = {"STEEL": "steel", "SIIM": "xray", "INK": "ink", "FAULT": "faults", "NOISE": "denoise"}
"""The first word of the recipes of each pipeline."""
NUMBER = re.compile(rf"\b(?:{'|'.join(COUNTS)})-\d+\b")
NOT_APPLICABLE = "not applicable: "


def items(document: str = "pipelines.md") -> dict[str, tuple[str, str]]:
    """Return what a pipeline does, and where it is here, by number; a number stands once."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    found: dict[str, tuple[str, str]] = {}
    for entry in re.findall(r"^- \*\*(.*?)(?=^$|^- )", text, re.MULTILINE | re.DOTALL):
        number, words = " ".join(entry.split()).split("** ", 1)
        assert number not in found, f"{number} stands twice"
        published, arrow, here = words.partition(" → ")
        assert arrow, f"{number} does not say where it is"
        found[number] = (published, here)
    return found


ITEMS = items()


def cited(folder: str, *suffixes: str) -> Iterator[tuple[Path, str]]:
    """Yield each number that a file below ``folder`` holds."""
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in suffixes and path.is_file():
            for number in NUMBER.findall(path.read_text(encoding="utf-8")):
                yield path, number


def numbers_in_tests() -> set[str]:
    """Return the numbers that the docstring of a test names."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found |= set(NUMBER.findall(ast.get_docstring(node) or ""))
    return found


def test_all_119_numbers_are_there_in_order() -> None:
    wanted = [f"{name}-{n}" for name, count in COUNTS.items() for n in range(1, count + 1)]
    assert len(wanted) == 119
    assert list(ITEMS) == wanted


@pytest.mark.parametrize(
    ("folder", "suffixes"),
    [
        ("src", (".py", ".yaml", ".html")),
        ("tests", (".py",)),
        ("docs", (".md",)),
        ("benchmarks", (".py",)),
    ],
)
def test_every_number_that_is_cited_resolves(folder: str, suffixes: tuple[str, ...]) -> None:
    found = list(cited(folder, *suffixes))
    assert found
    assert [f"{path}: {number}" for path, number in found if number not in ITEMS] == []


def test_every_number_is_tested_or_not_applicable_for_a_reason() -> None:
    left_out = {number for number, (_, here) in ITEMS.items() if here.startswith(NOT_APPLICABLE)}
    assert all(len(ITEMS[number][1]) > len(NOT_APPLICABLE) + 20 for number in left_out)
    assert set(ITEMS) - numbers_in_tests() - left_out == set()


def test_numbers_are_cited_in_docstrings_of_tests_and_not_in_their_names() -> None:
    pattern = re.compile(rf"def (test_\w*(?:{'|'.join(COUNTS)})_\d\w*)", re.IGNORECASE)
    found = [
        f"{path.name}: {name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("number", ITEMS)
def test_modules_and_recipe_keys_that_an_item_names_exist(number: str) -> None:
    _, here = ITEMS[number]
    if here.startswith(NOT_APPLICABLE):
        return
    spans = re.findall(r"`([^`]+)`", here)
    assert spans, f"{number} names neither a module nor a key of a recipe"
    family = [recipe for recipe in names() if recipe.split("-")[0] == RECIPES[number.split("-")[0]]]
    assert len(family) > 1
    for span in spans:
        if span.startswith("lamina."):
            assert find_spec(span) is not None, f"{number}: there is no module {span}"
        elif (
            span.split(".")[0] in {*Recipe.model_fields, "train"} and " " not in span.split(":")[0]
        ):
            assert any(_holds(name, span) for name in family), f"{number}: no recipe has {span}"


@cache
def _settings(name: str) -> Any:
    return load_recipe(name).model_dump(mode="json")


def _holds(name: str, span: str) -> bool:
    """Return whether a recipe has ``dotted.key`` or ``dotted.key: value`` in any stage."""
    key, _, value = span.partition(": ")
    first, *others = key.split(".")
    keys = ["stages" if first == "train" else first, *others]
    found = list(_values(_settings(name), keys))
    return bool(found) if not value else yaml.safe_load(_floats(value)) in found


def _floats(value: str) -> str:
    """Return a value as YAML 1.1 reads it: 1e-5 as 1.0e-5."""
    return re.sub(r"\b(\d+)e-", r"\1.0e-", value)


def _values(part: Any, keys: list[str]) -> Iterator[Any]:
    if isinstance(part, list) and keys:
        for item in part:
            yield from _values(item, keys)
    elif not keys:
        yield part
    elif isinstance(part, dict) and keys[0] in part:
        yield from _values(part[keys[0]], keys[1:])


def test_a_key_or_value_that_no_recipe_has_is_noticed() -> None:
    assert _holds("steel", "train.validate_every: 10")
    assert _holds("steel", "label_smoothing: 1e-6")
    assert not _holds("steel", "train.validate_every: 11")
    assert not _holds("steel", "train.validate_evry")


def test_help_texts_and_the_schema_have_no_numbers() -> None:
    """They are for readers who know neither the pipelines nor their numbers."""
    schema = ROOT / "src" / "lamina" / "recipe" / "recipe.schema.json"
    assert NUMBER.findall(schema.read_text(encoding="utf-8")) == []
    verbs = vars(typer.main.get_command(app))["commands"]
    texts = [
        f"{verb.help} {[vars(param).get('help') for param in verb.params]}"
        for verb in verbs.values()
    ]
    assert len(texts) > 5
    assert [text for text in texts if NUMBER.search(text)] == []
