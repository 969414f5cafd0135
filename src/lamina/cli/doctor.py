"""The command that looks for what is wrong, before time is spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli.command import door, show


@door
def doctor(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe: a YAML file, or the name of a built-in."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The folder that holds the data; all is read.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="NAME=VALUE", help="Change one value of the recipe."),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", help="Write the recipe with what can be fixed to this file."),
    ] = None,
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Find what is wrong with the machine, a recipe and data, and say what to do about it."""
    import shutil
    import sys

    from lamina.doctor.run import cure, examine
    from lamina.doctor.table import table

    report = examine(recipe, changes or (), root=data)
    if fix is not None:
        report = cure(report, recipe, fix)
    width = shutil.get_terminal_size().columns
    text = table(report, width=width, colour=sys.stdout.isatty())
    show(report, json=json, text=text)
    if report.exit_code:
        raise typer.Exit(report.exit_code)
