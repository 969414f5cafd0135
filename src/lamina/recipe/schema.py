"""The JSON schema with which editors complete and check recipe files.

It describes files rather than whole recipes: what a file leaves out may come from the recipe
that it extends or from ``train``, so nothing is required, and a part may omit its ``kind``.

Write it anew with ``python -m lamina.recipe.schema``; a test holds that it is up to date.
"""

from __future__ import annotations

import json
from typing import Any

from lamina.files import write_text
from lamina.recipe.builtin import SCHEMA
from lamina.recipe.recipe import Recipe


def schema_text() -> str:
    """Return the schema as it must stand in ``recipe.schema.json``."""
    schema = _loosened(Recipe.model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"] |= {
        "extends": {
            "type": "string",
            "description": "A built-in recipe by name, or a file by its path from this one.",
        },
        "train": {"$ref": "#/$defs/Stage", "description": "What lies under every stage."},
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Write ``recipe.schema.json`` beside this file."""
    write_text(SCHEMA, schema_text())


def _loosened(schema: Any) -> Any:
    """Return the schema with nothing required and choices that need no ``kind``."""
    if isinstance(schema, list):
        return [_loosened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    loose: dict[str, Any] = {}
    for key, part in schema.items():
        if key in ("properties", "$defs"):
            loose[key] = {name: _loosened(below) for name, below in part.items()}
        elif key in ("default", "const", "enum", "examples"):
            loose[key] = part
        elif key not in ("required", "discriminator"):
            loose["anyOf" if key == "oneOf" else key] = _loosened(part)
    return loose


if __name__ == "__main__":
    write_schema()
