"""Fixes written into a recipe: the file keeps its comments, its order and all else it says."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from lamina import files
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe, names, text_of
from lamina.recipe.yaml.reader import read_file


def write_fixes(source: Path | str, fixes: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Lay ``fixes`` over the ``data`` of a recipe and write it to ``path``.

    Args:
        source: The recipe's file or built-in name.
        fixes: Parts of ``data``; mappings go into mappings.
        path: Where to write; the recipe's own file is changed in place.

    Raises:
        RecipeError: another file stands at ``path``, or the result would be no sound recipe;
            then nothing is written.
    """
    own = str(source) not in names() and Path(source).resolve() == path.resolve()
    if path.exists() and not own:
        raise RecipeError(f"{path}: is there already; choose another name for --fix")
    text = fixed_text(_text(source), fixes, base=_base(source, path))
    beside = path.with_name(f".{path.stem}.trial{path.suffix}")
    try:
        files.write_text(beside, text)  # where it will lie, since extends is looked up from there
        load_recipe(beside)
    except RecipeError as error:
        raise RecipeError(
            f"{path}: not written, the fix would make an invalid recipe: {error}"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    files.write_text(path, text)


def fixed_text(text: str, fixes: Sequence[Mapping[str, Any]], *, base: str | None = None) -> str:
    """Return a recipe's YAML with ``fixes`` laid over its ``data``.

    ``base`` replaces what the recipe extends; None leaves it.

    Example:
        >>> print(fixed_text("name: a  # mine", [{"transpose": {"v1": "yzx"}}]), end="")
        name: a  # mine
        data:
          transpose:
            v1: yzx
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.width, yaml.preserve_quotes = 4096, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    root = yaml.load(text)
    if base is not None:
        root["extends"] = base
    data = root.setdefault("data", CommentedMap())
    if data is None:
        data = root["data"] = CommentedMap()
    _lay(merged(fixes), data)
    stream = io.StringIO()
    yaml.dump(root, stream)
    return stream.getvalue()


def merged(fixes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return all fixes as one; of two for one key the later counts.

    Example:
        >>> merged([{"transpose": {"a": "xyz"}}, {"transpose": {"b": "yzx"}}])
        {'transpose': {'a': 'xyz', 'b': 'yzx'}}
    """
    found: dict[str, Any] = {}
    for fix in fixes:
        for key, value in fix.items():
            found[key] = {**found.get(key, {}), **value} if isinstance(value, Mapping) else value
    return found


def _lay(upper: Mapping[str, Any], lower: CommentedMap) -> None:
    """Put each value before what is there: the first that fits counts, and a pattern may follow."""
    for key, value in reversed(list(upper.items())):
        if isinstance(value, Mapping):
            if not isinstance(lower.get(key), CommentedMap):
                lower[key] = CommentedMap()
            _lay(value, lower[key])
        else:
            lower.pop(key, None)
            lower.insert(0, key, value)


def _text(source: Path | str) -> str:
    if str(source) in names():
        return text_of(str(source))
    return Path(source).read_text(encoding="utf-8-sig")


def _base(source: Path | str, path: Path) -> str | None:
    """Return what the recipe extends as seen from ``path``; None where that is the same."""
    here, there = Path(source).resolve().parent, path.resolve().parent
    if str(source) in names() or here == there:
        return None
    parts = read_file(Path(source), str(source))[0].value
    extends = parts.get("extends") if isinstance(parts, dict) else None
    if extends is None or extends.value in names():
        return None
    name = str(extends.value).replace("\\", "/")
    return Path(os.path.relpath(here / name, there)).as_posix()
