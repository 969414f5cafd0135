"""The recipes that come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lamina.errors import RecipeError
from lamina.files import write_text
from lamina.options.near_words import did_you_mean

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


def text_of(name: str, schema: Path | None = None) -> str:
    """Return a built-in recipe as a person would start from it, comments and ``extends`` kept.

    Args:
        name: Out of ``names()``.
        schema: Where editors find the schema, seen from the file that the text becomes; None: the
            first line says how to get it.

    Raises:
        RecipeError: there is no such recipe.
    """
    text = built_in(name).path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    if not first.startswith(_HINT):
        return text
    how = f"# Completion in editors: lamina new {name} --schema recipe.schema.json"
    return f"{how if schema is None else _HINT + schema.as_posix()}\n{rest}"


def save_schema(path: Path) -> None:
    """Write the JSON schema of recipes, for editors.

    Raises:
        RecipeError: another file is there already, or nothing can be written.
    """
    if path.exists() and '"$schema"' not in path.read_text(encoding="utf-8", errors="replace"):
        raise RecipeError(f"{path}: is another file already; choose another name for --schema")
    write_text(path, SCHEMA.read_text(encoding="utf-8"))


def about(name: str) -> str:
    """Return the one line that a built-in recipe says of itself: its first comment.

    Raises:
        RecipeError: there is no such recipe.
    """
    lines = built_in(name).path.read_text(encoding="utf-8").splitlines()
    comments = (line for line in lines if line.startswith("# ") and not line.startswith(_HINT))
    return next(comments, "#").removeprefix("#").strip()


def described() -> dict[str, str]:
    """Return every built-in recipe with the line it says of itself."""
    return {name: about(name) for name in names()}


def built_in(name: str) -> Source:
    """Return the file of a built-in recipe.

    Raises:
        RecipeError: there is no such recipe.
    """
    if name not in names():
        raise RecipeError(unknown(name))
    return Source(_BUILT_IN / f"{name}.yaml", f"lamina/recipes/{name}.yaml")


def unknown(name: str) -> str:
    """Return what to say of a name that is no recipe."""
    hint = did_you_mean(name, names())
    return f"{name}: neither a file nor a built-in recipe ({', '.join(names())}){hint}"
