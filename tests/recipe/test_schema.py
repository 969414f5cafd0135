"""The schema for editors is up to date and says what a file may say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lamina.options.nodes import plain_value
from lamina.recipe.builtin import SCHEMA, names
from lamina.recipe.schema import schema_text
from lamina.recipe.yaml.sources import read_chain


def test_the_file_is_what_the_recipe_gives() -> None:
    wanted = "run python -m lamina.recipe.schema"
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), wanted


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for below in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(below, (dict, list)):
            yield from parts(below)


def test_nothing_is_required_since_a_file_may_extend_another() -> None:
    schema = json.loads(schema_text())
    assert {"extends", "train", "stages"} <= set(schema["properties"])
    lists = [part["required"] for part in parts(schema) if isinstance(part.get("required"), list)]
    assert lists == []


def test_unknown_names_are_marked_in_the_editor() -> None:
    schema = json.loads(schema_text())
    models = [schema, *schema["$defs"].values()]
    assert all(part["additionalProperties"] is False for part in models if "properties" in part)


def test_every_option_has_its_documentation() -> None:
    schema = json.loads(schema_text())
    for name, part in {"Recipe": schema, **schema["$defs"]}.items():
        for key, option in part.get("properties", {}).items():
            # an option whose text is that of its model has it there
            assert key == "kind" or {"description", "$ref"} & set(option), f"{name}.{key}"


@pytest.mark.parametrize("name", names())
def test_every_word_of_a_built_in_recipe_is_in_the_schema(name: str) -> None:
    schema = json.loads(schema_text())
    value = plain_value(read_chain(name)[0])
    assert fits(value, schema, schema) == []


def fits(value: Any, schema: dict[str, Any], top: dict[str, Any]) -> list[str]:
    """Return the keys that no branch of the schema knows; a slow and obvious checker of names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return fits(value, top["$defs"][name], top)
    if "anyOf" in schema:
        return min((fits(value, branch, top) for branch in schema["anyOf"]), key=len)
    if isinstance(value, list):
        return [key for item in value for key in fits(item, schema.get("items", {}), top)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    unknown = [key for key in value if key not in known]
    return unknown + [
        key for name in value if name in known for key in fits(value[name], known[name], top)
    ]
