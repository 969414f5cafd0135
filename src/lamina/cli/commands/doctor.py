"""The command that examines machine, recipe and data before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina import folders
from lamina.cli.command import command, show
from lamina.cli.options import Changes, Json, recipe_names


@command
def doctor(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A YAML file, or the name of a built-in recipe.", autocompletion=recipe_names
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; every file is read.")
    ] = None,
    changes: Changes = None,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", help="Write the recipe with all that can be fixed here."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Examine the machine, a recipe and data.

    Finds what would go wrong or waste time in training, and says what to do about it.
    """
    if data is not None:
        folders.check_data(data)
    import shutil
    import sys

    from lamina.doctor.run import examine, write_fixed_recipe
    from lamina.doctor.table import table

    report = examine(recipe, changes or (), root=data)
    if fix is not None:
        report = write_fixed_recipe(report, recipe, fix)
    width = shutil.get_terminal_size().columns
    text = table(report, width=width, colour=sys.stdout.isatty())
    show(report, json=json, text=text)
    if report.exit_code:
        raise typer.Exit(report.exit_code)
