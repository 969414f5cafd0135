"""The command that aligns the layers of fragments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli.command import door, show


@door
def flatten(
    fragments: Annotated[
        list[Path],
        typer.Argument(
            metavar="FRAGMENT...",
            help="Folders of fragments, or folders with such folders.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; goes on by itself.")],
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe", help="A recipe, or a run of `lamina train`, whose data.prepare says how."
        ),
    ] = "ink",
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", help="Bring all to this fragment's depth.", show_default="the recipe's"
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="NAME=VALUE", help="Change one value of the recipe."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers", metavar="20,44", help="First layer and the one after the last to write."
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--as", help="tif: a file for each layer; zarr: one array.")
    ] = "tif",
    *,
    maps_only: Annotated[
        bool, typer.Option("--maps-only", help="Write maps and curves, no layers.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Align the layers of fragments by their depth, and write them as a new data folder."""
    from lamina.cli.command import whole_numbers
    from lamina.outputs.flattened import flatten as run_flattening
    from lamina.outputs.flattened import fragments_of, wish_of
    from lamina.reporting.depth_alignment import layers_page

    catalog = fragments_of(recipe, changes or (), reference)
    wish = wish_of(whole_numbers(layers, "--layers"), form, maps_only=maps_only)
    found = run_flattening(fragments, out, catalog, wish)
    page = layers_page(out)
    lines = [
        f"{name}: shifts {one.shift[0]:.1f} to {one.shift[1]:.1f} layers, "
        f"scale {one.scale[0]:.2f} to {one.scale[1]:.2f}"
        for name, one in found.fragments.items()
    ]
    values = {**found.to_dict(), "page": str(page)}
    show(values, json=json, text="\n".join([*lines, f"wrote {out}; curves: {page}"]))
