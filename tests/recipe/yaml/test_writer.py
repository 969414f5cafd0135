"""A recipe written out is read as the same recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lamina.options.nodes import Where, plain_value
from lamina.recipe.yaml.reader import read_file, read_text
from lamina.recipe.yaml.writer import resolved_text
from lamina.spec import Spec


class Part(Spec):
    weight: float = 1e-7
    kind: Literal["part"] = "part"


class Small(Spec):
    name: str = "no"
    word: str | None = None
    flag: bool = True
    size: tuple[int, ...] = (1, 2)
    ranges: tuple[tuple[int, int], ...] = ((0, 14),)
    parts: tuple[Part, ...] = (Part(), Part(weight=3))
    labels: dict[int, int] = Field(default_factory=lambda: {0: 0, 255: 1})
    validation: int = Field(default=3, alias="validate")


def test_by_hand() -> None:
    assert (
        resolved_text(Small())
        == """\
# yaml-language-server: $schema=recipe.schema.json
name: no
word: null
flag: true
size: [1, 2]
ranges:
  - [0, 14]
parts:
  - kind: part
    weight: 1e-07
  - kind: part
    weight: 3.0
labels:
  0: 0
  255: 1
validate: 3
"""
    )


def test_text_that_looks_like_something_else_is_quoted() -> None:
    for word in ("null", "true", "1e5", ".5e3", "12", ".nan", "", "a: b", "- a", "x #y", "é\n"):
        text = resolved_text(Small(name=word))
        tree = plain_value(read_text(text, lambda line: Where("r.yaml", line))[0])
        assert tree["name"] == word


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_text_is_read_as_it_was(word: str) -> None:
    text = resolved_text(Small(name=word, word=word))
    tree = plain_value(read_text(text, lambda line: Where("r.yaml", line))[0])
    assert (tree["name"], tree["word"]) == (word, word)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.integers())
def test_any_number_is_read_as_it_was(weight: float, size: int, key: int) -> None:
    if len(str(abs(size))) > 100 or len(str(abs(key))) > 100:
        return
    small = Small(parts=(Part(weight=weight),), size=(size,), labels={key: size})
    tree = plain_value(read_text(resolved_text(small), lambda line: Where("r.yaml", line))[0])
    assert Small.model_validate(tree) == small


def test_a_file_of_it_is_a_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(resolved_text(Small()), encoding="utf-8")
    node, problems = read_file(path, "r.yaml")
    assert problems == []
    assert Small.model_validate(plain_value(node)) == Small()
