"""The command that writes a trained model as files that run without lamina."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import folders
from lamina.cli.command import command, show
from lamina.cli.options import Json
from lamina.errors import RecipeError


@command
def export(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN|BUNDLE", help="Run folder or bundle.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder; must not exist yet.")],
    form: Annotated[
        Literal["onnx", "torch"],
        typer.Option("--format", help="onnx; torch: programs of torch.export, run by torch."),
    ] = "onnx",
    members: Annotated[
        str,
        typer.Option("--members", metavar="all|fold0,fold1", help="Members that answer together."),
    ] = "all",
    tile: Annotated[
        str | None,
        typer.Option(
            "--tile", metavar="512x512", help="Size of a tile.", show_default="the recipe's"
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Another decision: one threshold for all classes.",
            show_default="the bundle's decision",
        ),
    ] = None,
    *,
    with_known: Annotated[
        bool,
        typer.Option(
            "--with-known",
            help="Write digests of the training images, which are then predicted out of fold.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write a model that runs without lamina.

    The folder needs NumPy and ONNX Runtime only, or torch for --format torch. It is compared with
    lamina before it is written.
    """
    size = _size(tile)
    folders.check_bundles([source])
    from lamina.deployment.export import export as run_export

    named = [name.strip() for name in members.split(",")]
    found = run_export(
        source,
        out,
        format=form,
        members="all" if members == "all" else named,
        tile=size,
        threshold=threshold,
        with_known=with_known,
    )
    many = len(found.members)
    text = (
        f"wrote {many} member{'s' * (many != 1)} into {out}, {found.bytes / 1e6:.1f} MB; answers "
        f"differ by at most {found.image_difference:.1e} from those of lamina in float32\n"
        f"next: cd {out} && python run.py IMAGE --out mask.png"
    )
    show(found, json=json, text=text)


def _size(text: str | None) -> tuple[int, int] | None:
    """Return rows and columns from a text such as ``512x256``; None stays None."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)x(\d+)", text.strip())
    if found is None:
        raise RecipeError(f"--tile is '{text}'; write rows and columns, such as 512x512")
    return int(found[1]), int(found[2])
