"""What is wrong with the arguments of a component that is made in Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lamina.options.explain import explain
from lamina.options.nodes import Node, Where


def explain_arguments(
    error: ValidationError, model: type[BaseModel], values: Mapping[str, Any]
) -> str:
    """Return what pydantic found, one problem a line, each with the nearest valid word.

    Args:
        error: What was raised.
        model: The class that was called.
        values: Its arguments.
    """
    root = _node(dict(values), Where(model.__name__))
    problems = map(str, explain(error, model, root, in_file=False))
    told = (_UNKNOWN.sub(r"'\1' is not an option;", problem) for problem in problems)
    return "\n".join(dict.fromkeys(told))


_UNKNOWN = re.compile(r"(?<=: )(\S+) is not an option here;")


def _node(value: Any, where: Where) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _node(one, where) for key, one in value.items()}, where)
    if isinstance(value, (list, tuple)):
        return Node([_node(one, where) for one in value], where)
    if value is None or isinstance(value, (str, int, float)):
        return Node(value, where)
    return Node(repr(value), where, text=repr(value))
