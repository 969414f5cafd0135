"""``lamina train --view``: the page of a training while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lamina.errors import RecipeError

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe


@contextmanager
def watched(
    recipe: Recipe, out: Path, data: Path, member: str | None, *, view: bool
) -> Iterator[None]:
    """Serve the page of a training while the block runs, where it is wanted, and print its address.

    The address is not said as progress: it holds a token, and progress is kept in ``log.txt``.

    Raises:
        RecipeError: the recipe trains several networks, each into a folder of its own.
    """
    from lamina.training.devices.ranks import is_main_process

    if not view or not is_main_process():
        yield
        return
    if recipe.members and member is None:
        names = ", ".join(one.name for one in recipe.members)
        raise RecipeError(
            f"--view shows one network, and recipe {recipe.name} trains {names}; train one by "
            "--member, or look at a folder below members with `lamina view`"
        )
    from lamina.training.ensembles.ensemble import MEMBERS
    from lamina.viewer.beside import viewing

    run = out if member is None else out / MEMBERS / member
    with viewing(run, data) as address:
        typer.echo(f"looking at the training: {address} (it ends with the training)", err=True)
        yield
