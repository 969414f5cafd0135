"""Recipes of several networks: each is trained as a run of its own, then all are joined."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lamina.errors import RecipeError
from lamina.progress import say
from lamina.recipe.messages.near_words import did_you_mean
from lamina.recipe.recipe import Recipe
from lamina.training.ensembles.ensemble import MEANS, MEMBERS, ensemble
from lamina.training.run import BUNDLE
from lamina.training.run import train as train_one


def train(
    recipe: Recipe, *, data: Path, out: Path, member: str | None = None, **options: Any
) -> dict[str, Any]:
    """Train a recipe; one with members (FAULT-7) member by member, each in ``out/members/NAME``.

    ``out`` then holds their ensemble, laid out as any run. The same call again goes on where an
    interrupted one stopped.

    Args:
        recipe: What to do.
        data: The folder that holds the data; only read.
        out: The run folder.
        member: Train only this one and join nothing, such as one on each of several machines.
        options: As ``lamina.training.run.train`` takes them.

    Returns:
        As ``lamina.training.run.train``; of several members ``run``, ``bundle``, ``members`` (what
        each returned, by name), ``ensemble`` and ``seconds``.

    Raises:
        RecipeError: there is no such member; and as ``lamina.training.run.train``.
    """
    names = [one.name for one in recipe.members]
    if member is not None and member not in names:
        has = f"; it has {', '.join(names)}" if names else " and has none"
        raise RecipeError(
            f"recipe {recipe.name} has no member '{member}'{did_you_mean(member, names) or has}"
        )
    if not names:
        return train_one(recipe, data=data, out=out, **options)
    if member is not None:
        return _train_member(recipe, member, data, out, options)
    begun = time.monotonic()
    rows = {name: _train_member(recipe, name, data, out, options) for name in names}
    mean = {pool: word for word, pool in MEANS.items()}[recipe.predict.mean_of.members]
    joined = ensemble([_folder(out, name) for name in names], out, mean=mean, renew=True)
    return {
        "run": str(out),
        "bundle": str(out / BUNDLE),
        "recipe_digest": recipe.digest(),
        "members": rows,
        "ensemble": joined,
        "seconds": round(time.monotonic() - begun, 1),
    }


def _train_member(
    recipe: Recipe, name: str, data: Path, out: Path, options: dict[str, Any]
) -> dict[str, Any]:
    say(f"member {name}")
    return train_one(recipe.member(name), data=data, out=_folder(out, name), **options)


def _folder(out: Path, name: str) -> Path:
    return out / MEMBERS / name
