"""Commands that judge and hand over what was predicted: scores, and objects as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli.command import door, show

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Pred = Annotated[Path, typer.Argument(help="A folder of `lamina predict`.", show_default=False)]


@door
def score(
    pred: Pred,
    truth: Annotated[Path, typer.Argument(help="The data folder with the truth.")],
    part: Annotated[
        str, typer.Option("--part", help="all, or validate: only the held-out sections.")
    ] = "all",
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="A kind, or YAML such as '{kind: tolerant_dice, tolerance: 3, over: image}'; "
            "default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Score predictions against the truth: the metric, per class, beside predicting nothing."""
    from lamina.evaluation.score import score as run_scoring
    from lamina.evaluation.score import table

    found = run_scoring(pred, truth, part=part, metric=metric)  # type: ignore[arg-type]  # checked there
    show(found, json=json, text=table(found))


@door
def export(
    pred: Pred,
    out: Annotated[Path, typer.Option("--out", help="The folder to write; not there yet.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="points (csv), npy, vtk (vertices) or surface (triangles), a file an object.",
        ),
    ] = "points",
    minimum: Annotated[
        int, typer.Option("--min-voxels", help="The smallest part that is an object.")
    ] = 100,
    connectivity: Annotated[
        int, typer.Option("--connectivity", help="Neighbours: 6, 18 or 26.")
    ] = 26,
    spacing: Annotated[
        str | None,
        typer.Option(
            "--spacing",
            metavar="12.5,12.5,4",
            help="From voxel to voxel, along the stored axes.",
            show_default="1,1,1",
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin", metavar="X,Y,Z", help="Place of the first voxel.", show_default="0,0,0"
        ),
    ] = None,
    down: Annotated[
        str | None,
        typer.Option("--down", help="The axis that points down.", show_default="the last"),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write the connected parts of predicted volumes, each with size, place, dip and azimuth."""
    from lamina.cli.command import three_numbers
    from lamina.outputs.objects import TABLE
    from lamina.outputs.objects import export as run_export

    found = run_export(
        pred,
        out,
        kind=kind,  # type: ignore[arg-type]  # checked there
        minimum=minimum,
        connectivity=connectivity,  # type: ignore[arg-type]  # checked there
        spacing=three_numbers("--spacing", spacing),
        origin=three_numbers("--origin", origin),
        down=down,
    )
    show(found, json=json, text=f"wrote {found.objects} objects and {TABLE} into {out}")
