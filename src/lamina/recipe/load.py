"""From a file or a built-in name to a checked recipe, or to an error with the line.

strict YAML -> extends -> changes -> ``train`` under each stage -> Recipe. Nothing here looks at
the data; no word of a recipe is ever imported or called. The options themselves are imported once
the files have been read: a recipe that is not there is refused at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.options.explain import check
from lamina.public import StrPath, as_path
from lamina.recipe.builtin import about, names, text_of
from lamina.recipe.yaml.resolve import resolve
from lamina.recipe.yaml.why import explain_value
from lamina.recipe.yaml.writer import resolved_text
from lamina.refusals import verb

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe

__all__ = [
    "about",
    "check_networks",
    "load_recipe",
    "names",
    "recipe_of",
    "resolved_text",
    "text_of",
    "why",
]


@verb
def load_recipe(source: StrPath, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in a file, or the built-in one of that name.

    Args:
        source: A path, or a name out of ``names()``.
        overrides: Changes such as ``stages.tune.optimizer.lr=1e-5``, made in order.

    Raises:
        RecipeError: all that is wrong, one problem a line, each with file and line (or the
            change), the dotted name, and the nearest valid word.

    Example:
        >>> recipe = load_recipe("folder-laptop", ["train.epochs=3"])
        >>> recipe.task.kind, [stage.epochs for stage in recipe.stages]
        ('binary', [3])
    """
    found = resolve(_named(source), overrides)
    from lamina.recipe.recipe import Recipe

    return check(Recipe, found.root, found.train, found.problems)


def check_networks(recipe: Recipe) -> None:
    """Build every network of a recipe without memory for its weights.

    Networks of the built-in recipes are left out, since the tests build them: a check of one of
    those, with other epochs or data, needs no torch.

    Raises:
        RecipeError: a network cannot be built, such as an encoder that does not exist.
    """
    members = [recipe.member(member.name) for member in recipe.members] or [recipe]
    known: set[str] = set()
    for name in names():
        built_in = load_recipe(name)
        known |= {_network_key(built_in)}
        known |= {_network_key(built_in.member(member.name)) for member in built_in.members}
    for member in members:
        if _network_key(member) not in known:
            member.network.check(member.frame.inputs, member.outputs)


def _network_key(recipe: Recipe) -> str:
    """Return what decides whether a network can be built, as text to compare."""
    network = recipe.network.untrained().model_dump_json()
    return f"{network} {recipe.frame.inputs} {recipe.outputs}"


def recipe_of(recipe: Recipe | StrPath) -> Recipe:
    """Return a recipe as it is, or the one in a file or of a built-in name.

    Raises:
        RecipeError: as ``load_recipe``.
    """
    from lamina.recipe.recipe import Recipe

    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def _named(source: StrPath) -> Path | str:
    """Return a path; text stays as the user wrote it, since it may be a built-in name."""
    path = as_path(source, "recipe")
    return source if isinstance(source, str) and path == Path(source) else path


def why(source: StrPath, overrides: Sequence[str], key: str) -> str:
    """Return the value of one option, where it comes from, and what it means.

    Args:
        source: As for ``load_recipe``.
        overrides: As for ``load_recipe``.
        key: The dotted name; items of lists by name or kind, such as ``loss.dice.weight``.

    Raises:
        RecipeError: the recipe is not sound, or has no such option.
    """
    found = resolve(_named(source), overrides)
    from lamina.recipe.recipe import Recipe

    recipe = check(Recipe, found.root, found.train, found.problems)
    return explain_value(recipe, found.root, key)
