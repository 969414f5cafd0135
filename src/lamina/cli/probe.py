"""The command that shows what a network can repeat, before time is spent on training it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli.command import door, show


@door
def probe(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe to restore: a YAML file or a built-in.", show_default=False),
    ],
    data: Annotated[Path, typer.Option("--data", help="The folder that holds the data.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="NAME=VALUE", help="Change one value of the recipe."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="unet,pixel_shuffle", help="Kinds of networks to set side by side."
        ),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps for each.")] = 200,
    cases: Annotated[
        int, typer.Option("--cases", min=1, help="Most held-out images or slices to judge by.")
    ] = 6,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Train networks for a moment to repeat their input: what a decoder loses shows at once."""
    from lamina.recipe.load import load_recipe
    from lamina.training.probe import probe as run_probe
    from lamina.training.probe import table

    found = run_probe(
        load_recipe(recipe, changes or ()),
        data=data,
        compare=[word.strip() for word in compare.split(",")] if compare else (),
        steps=steps,
        cases=cases,
        device=device,
    )
    show(found, json=json, text=table(found))
