"""From the locations of pydantic to what the user wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field

from lamina.options.fields import (
    items_of,
    kinds_of,
    models_of,
    named,
    options_of,
    part_of,
    walk,
)
from lamina.options.nodes import Where
from lamina.recipe.yaml.reader import read_text
from lamina.spec import Spec


class Low(Spec):
    kind: Literal["low"] = "low"
    value: int = 0


class High(Spec):
    kind: Literal["high", "higher"] = "high"
    value: int = Field(default=0, alias="wert")


AnyLevel = Annotated[Low | High, Field(discriminator="kind")]


class Top(Spec):
    one: AnyLevel | None = None
    many: tuple[AnyLevel, ...] = ()
    pair: tuple[Low, High] | None = None
    named: Mapping[str, Low] = Field(default_factory=dict)


ROOT, _ = read_text(
    "one: {kind: high, wert: 1}\nmany: [{kind: low}, {kind: higher, wert: 2}]\n"
    "pair: [{}, {}]\nnamed: {a: {value: 1}}",
    lambda line: Where("r.yaml", line),
)


@pytest.mark.parametrize(
    ("location", "path", "fields"),
    [
        (("one", "high"), ("one",), ("kind", "wert")),
        (("one", "high", "wert"), ("one", "wert"), ()),
        (("many", 0, "low"), ("many", 0), ("kind", "value")),
        (("many", 1, "higher", "wert"), ("many", 1, "wert"), ()),
        (("pair", 1), ("pair", 1), ("kind", "wert")),
        (("named", "a"), ("named", "a"), ("kind", "value")),
        (("one", "high", "wert", "int"), ("one", "wert"), ()),  # a branch that pydantic tried
        ((), (), ("one", "many", "pair", "named")),
    ],
)
def test_kinds_and_branches_are_no_part_of_the_path(
    location: tuple[str | int, ...], path: tuple[str | int, ...], fields: tuple[str, ...]
) -> None:
    place = walk(Top, ROOT, location)
    assert (place.path, place.fields) == (path, fields)


def test_a_choice_knows_all_its_kinds() -> None:
    assert walk(Top, ROOT, ("many", 0)).kinds == ("high", "higher", "low")


def test_helpers_by_hand() -> None:
    assert tuple(models_of(AnyLevel | None)) == (Low, High)
    assert models_of(tuple[Low, ...]) == []
    assert kinds_of(High) == ("high", "higher")
    assert kinds_of(Top) == ()
    assert list(options_of(High)) == ["kind", "wert"]
    assert part_of(ROOT, "no") is None
    assert part_of(ROOT, 0) is None
    assert items_of(tuple[AnyLevel, ...] | None) == [Low, High]
    assert items_of(int) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("many", 1, "wert"), ("many", "higher", "wert")),
        (("many", 1, "kind"), ("many", "1", "kind")),
        (("many", 0), ("many", "low")),
        (("many", 7, "wert"), ("many", "7", "wert")),
        (("pair", 1, "wert"), ("pair", "1", "wert")),
        (("one", "wert"), ("one", "wert")),
    ],
)
def test_items_are_called_by_name(path: tuple[str | int, ...], words: tuple[str, ...]) -> None:
    assert named(ROOT, path) == words


def test_items_called_alike_keep_their_numbers() -> None:
    root, _ = read_text("many: [{kind: low}, {kind: low}]", lambda line: Where("r.yaml", line))
    assert named(root, ("many", 1, "value")) == ("many", "1", "value")
