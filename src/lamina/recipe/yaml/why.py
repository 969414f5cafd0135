"""Why a value of a recipe is what it is: where it was written, and what it means."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from lamina.errors import RecipeError
from lamina.options.fields import part_of
from lamina.options.near_words import did_you_mean
from lamina.options.nodes import Node, Where
from lamina.spec import option_docs


def explain_value(recipe: BaseModel, root: Node, key: str) -> str:
    """Return three parts: the value, where it is from, and the doc of the option.

    Args:
        recipe: The checked recipe.
        root: The tree that it was checked from.
        key: A dotted name; items of lists by name, kind or number.

    Raises:
        RecipeError: the recipe has no such option.
    """
    value: Any = recipe
    node: Node | None = root
    origin: Where | str = root.where
    document = type(recipe).__doc__
    path: tuple[str, ...] = ()
    for name in key.split("."):
        options = _parts(value)
        if name not in options:
            raise RecipeError(_unknown(path, name, list(options)))
        step = options[name]
        if isinstance(value, BaseModel):
            document = option_docs(type(value)).get(str(step)) or document
        below = None if node is None else part_of(node, step if isinstance(step, int) else name)
        if below is not None:
            origin = below.where
        elif node is not None:
            origin = f"default of {type(value).__name__}.{name}"
        node = below
        value = getattr(value, step) if isinstance(value, BaseModel) else value[step]
        path = (*path, name)
    place = origin if isinstance(origin, str) else f"from {origin}"
    return f"{key} = {_shown(value)}\n  {place}\n{_indented(document or '')}".rstrip()


def _parts(value: Any) -> dict[str, Any]:
    """Return what may follow a name, and the attribute, key or number behind it."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {field.alias or name: name for name, field in fields}
    if isinstance(value, dict):
        return {str(key): key for key in value}
    if isinstance(value, (list, tuple)):
        numbers = {str(number): number for number in range(len(value))}
        labels = [getattr(item, "name", None) or getattr(item, "kind", None) for item in value]
        named = {label: number for number, label in reversed(list(enumerate(labels))) if label}
        return named | numbers
    return {}


def _unknown(path: tuple[str, ...], name: str, options: list[str]) -> str:
    dotted = ".".join((*path, name))
    words = [option for option in options if not option.isdecimal()] or options
    if not words:
        return f"{dotted} is not an option; '{'.'.join(path)}' has no parts"
    hint = did_you_mean(name, words)
    return f"{dotted} is not an option{hint or '; options are ' + ', '.join(words)}"


def _shown(value: Any) -> str:
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _indented(text: str) -> str:
    return "\n".join(f"  {line.strip()}" for line in text.strip().splitlines() if line.strip())
