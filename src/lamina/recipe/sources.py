r"""Where recipes are found: built in by name, or in files; and the chain that one extends.

A built-in name is looked up in the package's own folder, anything else is a path. A path after
``extends`` starts from the folder of the file that says it; ``~`` and ``$NAME`` in it are
ordinary characters, and ``\\`` is read as ``/`` (G10).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import RecipeError
from lamina.recipe.lines import read_file
from lamina.recipe.merge import lay
from lamina.recipe.nodes import Node, Problem

_BUILT_IN = Path(__file__).parents[1] / "recipes"
SCHEMA = Path(__file__).with_name("recipe.schema.json")
_HINT = "# yaml-language-server: $schema="


@dataclass(frozen=True)
class Source:
    """A recipe file and what messages call it."""

    path: Path
    shown: str


def names() -> list[str]:
    """Return the names of the built-in recipes, sorted."""
    return sorted(path.stem for path in _BUILT_IN.glob("*.yaml"))


def text_of(name: str) -> str:
    """Return a built-in recipe as a person would start from it, comments and ``extends`` kept.

    The first line points editors at the schema of the installed package.

    Raises:
        RecipeError: there is no such recipe.
    """
    text = _built_in(name).path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    return f"{_HINT}{SCHEMA.as_uri()}\n{rest}" if first.startswith(_HINT) else text


def about(name: str) -> str:
    """Return the one line that a built-in recipe says of itself: its first comment.

    Raises:
        RecipeError: there is no such recipe.
    """
    lines = _built_in(name).path.read_text(encoding="utf-8").splitlines()
    comments = (line for line in lines if line.startswith("# ") and not line.startswith(_HINT))
    return next(comments, "#").removeprefix("#").strip()


def find(source: Path | str) -> Source:
    """Return the file of a recipe given by path or built-in name."""
    if str(source) in names():
        return _built_in(str(source))
    path = Path(source)
    bare = len(path.parts) == 1 and not path.suffix
    if bare and not path.exists():
        raise RecipeError(_unknown(str(source)))
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
        root = lay(layers.pop(), root)
    return root, problems


def _built_in(name: str) -> Source:
    if name not in names():
        raise RecipeError(_unknown(name))
    return Source(_BUILT_IN / f"{name}.yaml", f"lamina/recipes/{name}.yaml")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"{name}: neither a file nor a built-in recipe ({', '.join(names())}){hint}"


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
        return _built_in(name)
    beside = Path(above.shown).parent / name.replace("\\", "/")
    path = above.path.parent / name.replace("\\", "/")
    if not path.exists():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise RecipeError(
            f"{extends.where}: extends is '{name}', which is neither a built-in recipe "
            f"({', '.join(names())}) nor a file at {path.resolve()}{hint}"
        )
    return Source(path, str(beside))
