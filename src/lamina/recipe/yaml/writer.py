"""A recipe as YAML: whole, in the order of its fields, and equal to itself when read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from lamina.options.nodes import scalar

_HINT = "# yaml-language-server: $schema=recipe.schema.json"


def resolved_text(recipe: BaseModel) -> str:
    """Return a recipe with every option written out; it loads to an equal recipe.

    Example:
        >>> from lamina.spec import Spec
        >>> class Small(Spec):
        ...     name: str = "no"
        ...     size: tuple[int, int] = (2, 3)
        >>> print(resolved_text(Small()), end="")
        # yaml-language-server: $schema=recipe.schema.json
        name: no
        size: [2, 3]
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _Representer
    yaml.width = 4096  # a value stays on one line, whatever its length
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump(_laid_out(recipe.model_dump(mode="json", by_alias=True)), stream)
    return f"{_HINT}\n{stream.getvalue()}"


def commented_text(
    values: Mapping[str, Any],
    reasons: Mapping[tuple[str | int, ...], str],
    header: Sequence[str] = (),
) -> str:
    """Return the YAML of a recipe with a comment behind each value that has a reason.

    Args:
        values: Nested mappings; one without a reason for one of its parts stands on one line.
        reasons: By the path of a value: names, and numbers of items of a list.
        header: Lines that go before it, without ``#``.

    Example:
        >>> print(commented_text({"a": {"b": [1, 2]}}, {("a", "b"): "so"}), end="")
        # yaml-language-server: $schema=recipe.schema.json
        a:
          b: [1, 2] # so
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _Representer
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump(_commented(to_jsonable_python(values), reasons, ()), stream)
    lines = [_HINT, *(f"# {line}".rstrip() for line in header)]
    return "\n".join([*lines, stream.getvalue()])


def _commented(
    value: Any, reasons: Mapping[tuple[str | int, ...], str], path: tuple[str | int, ...]
) -> Any:
    inner = [one for one in reasons if one[: len(path)] == path and len(one) > len(path)]
    if not inner:
        return _on_one_line(value)
    found: CommentedMap | CommentedSeq
    if isinstance(value, Mapping):
        found = CommentedMap(
            (_key(key), _commented(one, reasons, (*path, key))) for key, one in value.items()
        )
        keys: Sequence[Any] = list(value)
    else:
        found = CommentedSeq(_commented(one, reasons, (*path, k)) for k, one in enumerate(value))
        keys = range(len(value))
    for key in keys:
        reason = " ".join(reasons.get((*path, key), "").split())
        if reason:
            found.yaml_add_eol_comment(f"# {reason}", key, column=0)
    return found


def _on_one_line(value: Any) -> Any:
    laid = _laid_out(value)
    if isinstance(laid, (CommentedMap, CommentedSeq)):
        laid.fa.set_flow_style()
    return laid


class _Representer(RoundTripRepresenter):
    """Writes nothing as ``null``, where ruamel leaves a gap."""


_Representer.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _laid_out(value: Any) -> Any:
    """Return the value as ruamel writes it: kind first, short lists on one line, quotes."""
    if isinstance(value, dict):
        first = [key for key in ("kind",) if key in value]
        order = first + [key for key in value if key not in first]
        return CommentedMap((_key(key), _laid_out(value[key])) for key in order)
    if isinstance(value, list):
        items = CommentedSeq(_laid_out(item) for item in value)
        if not any(isinstance(item, (dict, list)) for item in value):
            items.fa.set_flow_style()
        return items
    return _quoted(value) if isinstance(value, str) else value


def _key(key: str) -> Any:
    """Return a key without needless quotes: all keys are text when read."""
    return int(key) if key.isdecimal() and str(int(key)) == key else _quoted(key)


def _quoted(text: str) -> str:
    try:
        safe = scalar(text) == text and text.isprintable()
    except ValueError:
        safe = False
    return text if safe else DoubleQuotedScalarString(text)
