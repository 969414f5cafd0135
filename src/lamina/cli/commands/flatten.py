"""The command that aligns the layers of fragments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import folders
from lamina.cli.command import command, show, whole_numbers
from lamina.cli.options import Changes, Json


@command
def flatten(
    fragments: Annotated[
        list[Path],
        typer.Argument(
            metavar="FRAGMENT...",
            help="Fragment folders, or folders of these.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder; resumes automatically.")],
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe", help="Recipe, or run of `lamina train`, with the data.prepare to use."
        ),
    ] = "ink",
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", help="Fragment that sets the depth.", show_default="the recipe's"
        ),
    ] = None,
    changes: Changes = None,
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers", metavar="20,44", help="Layers to write: first, and end (not written)."
        ),
    ] = None,
    form: Annotated[
        Literal["tif", "zarr"],
        typer.Option("--as", help="tif: one file per layer; zarr: one array."),
    ] = "tif",
    *,
    maps_only: Annotated[
        bool, typer.Option("--maps-only", help="Write maps and depth profiles only.")
    ] = False,
    json: Json = False,
) -> None:
    """Align the layers of scroll fragments.

    Shifts each column to a common depth and writes the layers as a new data folder.
    """
    wanted = whole_numbers(layers, "--layers")
    folders.check_output(out)
    from lamina.outputs.flattened import flatten as run_flattening
    from lamina.outputs.flattened import fragments_of, requested_files
    from lamina.reporting.depth_alignment import layers_page

    catalog = fragments_of(recipe, changes or (), reference)
    wish = requested_files(wanted, form, maps_only=maps_only)
    found = run_flattening(fragments, out, catalog, wish)
    page = layers_page(out)
    lines = [
        f"{name}: shifts {one.shift[0]:.1f} to {one.shift[1]:.1f} layers, "
        f"scale {one.scale[0]:.2f} to {one.scale[1]:.2f}"
        for name, one in found.fragments.items()
    ]
    values = {**found.to_dict(), "page": str(page)}
    show(values, json=json, text="\n".join([*lines, f"wrote {out}; curves: {page}"]))
