r"""Where recipes are found: built in by name, or in files; and the chain that one extends.

A built-in name is looked up in the package's own folder, anything else is a path. A path after
``extends`` starts from the folder of the file that says it; ``~`` and ``$NAME`` in it are
ordinary characters, and ``\\`` is read as ``/`` (G10).
"""

from __future__ import annotations

from pathlib import Path

from lamina.errors import RecipeError
from lamina.options.near_words import did_you_mean
from lamina.options.nodes import Node, Problem
from lamina.recipe.builtin import Source, built_in, names, unknown
from lamina.recipe.yaml.merge import merge
from lamina.recipe.yaml.reader import read_file


def find(source: Path | str) -> Source:
    """Return the file of a recipe given by path or built-in name.

    Raises:
        RecipeError: it is a bare word, and neither a built-in name nor a file.
    """
    if str(source) in names():
        return built_in(str(source))
    path = Path(source)
    bare = len(path.parts) == 1 and not path.suffix
    if bare and not _exists(path):
        raise RecipeError(unknown(str(source)))
    return Source(path, str(source))


def read_chain(source: Path | str) -> tuple[Node, list[Problem]]:
    """Read a recipe with all that it extends, the upper laid over the lower.

    Raises:
        RecipeError: a file of the chain cannot be read, or the chain runs in a circle.
    """
    here = find(source)
    chain: list[Source] = []
    layers: list[Node] = []
    problems: list[Problem] = []
    while True:
        chain.append(here)
        node, found = read_file(here.path, here.shown)
        problems += found
        below, layer = _without_extends(node)
        layers.append(layer)
        if below is None:
            break
        here = _below(below, here)
        if any(here.path.resolve() == earlier.path.resolve() for earlier in chain):
            circle = " -> ".join(one.shown for one in [*chain, here])
            raise RecipeError(f"{below.where}: extends runs in a circle: {circle}")
    root = layers.pop()
    while layers:
        root = merge(layers.pop(), root)
    return root, problems


def _without_extends(node: Node) -> tuple[Node | None, Node]:
    parts = dict(node.value) if isinstance(node.value, dict) else {}
    return parts.pop("extends", None), Node(parts, node.where)


def _below(extends: Node, above: Source) -> Source:
    """Return what ``extends`` names, seen from the file that says it."""
    if not isinstance(extends.value, str) or not extends.value:
        raise RecipeError(
            f"{extends.where}: extends is {extends}; it must be the name of a built-in recipe "
            f"({', '.join(names())}) or the path of a file"
        )
    name = extends.value
    if name in names():
        return built_in(name)
    beside = Path(above.shown).parent / name.replace("\\", "/")
    path = above.path.parent / name.replace("\\", "/")
    if not _exists(path):
        raise RecipeError(
            f"{extends.where}: extends is '{name}', which is neither a built-in recipe "
            f"({', '.join(names())}) nor a file at {path.resolve()}{did_you_mean(name, names())}"
        )
    return Source(path, str(beside))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False
