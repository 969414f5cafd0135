"""Changes on the command line: ``-s stages.tune.optimizer.lr=1e-5``.

The name is dotted; an item of a list is called by its ``name`` or else its ``kind``, never by
its number, so that a change means the same after the list has grown. The value is YAML, or a
pattern of file names such as ``*_im.tif`` and ``{id}_im.tif``, whose quotes a shell removes. A
change is laid over the recipe by the rules of ``merge`` and its nodes remember that it was
``-s``, so that a later complaint points at the command line. A change of ``train`` reaches every
stage, those too that set the option themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamina.errors import RecipeError
from lamina.options.nodes import Node, Problem, Where, item_label
from lamina.recipe.yaml.merge import TABLES, merge
from lamina.recipe.yaml.reader import read_text

_PATTERNS = ("*", "{id}", "{split}", "{class}")
"""Beginnings of patterns of file names: text, though YAML would take them for something else."""


def apply(root: Node, overrides: Sequence[str]) -> tuple[Node, list[Problem]]:
    """Return the recipe with all changes made, in order, and the changes that cannot be made."""
    problems: list[Problem] = []
    for text in overrides:
        where = Where(f"-s {text}")
        try:
            names, value, found = _parse(text, where)
            problems += found
            root = _change(root, names, value, ())
            for stage in _stages_of_their_own(root, names):
                root = _change(root, ("stages", stage, *names[1:]), value, ())
        except _CannotError as error:
            problems.append(Problem(where, str(error)))
    return root, problems


def _stages_of_their_own(root: Node, names: Sequence[str]) -> list[str]:
    """Return the stages that would not notice a change of ``train``, by name.

    They set the same option, and what a stage sets is laid over ``train``.
    """
    stages = root.value.get("stages") if isinstance(root.value, dict) else None
    if names[0] != "train" or len(names) < 2 or stages is None:
        return []
    items = stages.value if isinstance(stages.value, list) else []
    own = [item for item in items if isinstance(item.value, dict) and names[1] in item.value]
    return [label for one in own if (label := item_label(one)) is not None]


class _CannotError(Exception):
    """A change that cannot be made."""


def _parse(text: str, where: Where) -> tuple[list[str], Node, list[Problem]]:
    name, equals, written = text.partition("=")
    names = name.strip().split(".")
    if not equals or not all(names):
        raise _CannotError("a change is NAME=VALUE, such as stages.main.epochs=2")
    if names[0] == "extends":
        raise _CannotError("extends belongs in the file, not on the command line")
    if written.strip().startswith(_PATTERNS):
        return names, Node(written.strip(), where), []
    try:
        value, problems = read_text(written, lambda _: where)
    except RecipeError as error:
        raise _CannotError(str(error).removeprefix(f"{where}: ")) from None
    return names, value, problems


def _change(node: Node, names: Sequence[str], value: Node, path: tuple[str, ...]) -> Node:
    """Return ``node`` with the part called ``names`` changed; ``path`` leads to ``node``."""
    if not names:
        return value if path and path[-1] in TABLES else merge(value, node)
    name, rest = names[0], names[1:]
    here = (*path, name)
    if isinstance(node.value, list):
        index = _item(node.value, here)
        items = list(node.value)
        items[index] = _change(items[index], rest, value, here)
        return Node(items, node.where)
    if node.value is not None and not isinstance(node.value, dict):
        raise _CannotError(f"'{'.'.join(path)}' is {node}, which has no parts")
    parts = node.value or {}
    if name == "kind" and not rest:
        return merge(Node({"kind": value}, value.where), node)
    below = parts.get(name)
    if below is None:
        below = Node(None, value.where, "null")
    where = node.where if node.value is not None else value.where
    return Node({**parts, name: _change(below, rest, value, here)}, where)


def _item(items: Sequence[Node], here: tuple[str, ...]) -> int:
    labels = [item_label(item) for item in items]
    known = [label for label in labels if label is not None]
    name, dotted = here[-1], ".".join(here)
    if not known:
        whole = ".".join(here[:-1])
        raise _CannotError(f"the items of '{whole}' have no names; set it whole, as {whole}=[...]")
    if name not in known:
        raise _CannotError(f"'{dotted}' is none of {', '.join(dict.fromkeys(known))}")
    if known.count(name) > 1:
        raise _CannotError(f"'{dotted}' names {known.count(name)} items; change them in the file")
    return labels.index(name)
