"""The command that tests how well networks can reconstruct their input."""

from __future__ import annotations

from typing import Annotated

import typer

from lamina import folders
from lamina.cli.command import command, show
from lamina.cli.device import check_device
from lamina.cli.options import Changes, Data, Device, Json, Online, RecipeName


@command
def probe(
    recipe: RecipeName,
    data: Data,
    changes: Changes = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="unet,pixel_shuffle", help="Kinds of networks to compare."
        ),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps for each.")] = 200,
    cases: Annotated[
        int,
        typer.Option("--cases", min=1, help="Held-out images or slices to use, at most."),
    ] = 6,
    device: Device = "auto",
    *,
    online: Online = False,
    json: Json = False,
) -> None:
    """Test how well networks copy their input.

    For restoration: a network that cannot reconstruct what it sees, after a few steps of training,
    loses detail in its decoder.
    """
    check_device(device)
    folders.check_data(data)
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
        online=online,
    )
    show(found, json=json, text=table(found))
