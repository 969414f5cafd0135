"""The command that runs every step on synthetic data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import folders
from lamina.cli.command import command, show
from lamina.cli.options import Json


@command
def demo(
    job: Annotated[
        Literal["steel", "xray", "faults", "denoise", "ink"],
        typer.Argument(help="Which pipeline.", show_default=True),
    ] = "steel",
    out: Annotated[Path, typer.Option("--out", help="Output folder.")] = Path("lamina-demo"),
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller: a minute or two.")] = False,
    json: Json = False,
) -> None:
    """Run every step on synthetic data.

    Makes data, then trains, tunes, predicts, scores, submits and reports.
    """
    folders.check_output(out)
    from lamina.demo.run import demo as run_demo

    found = run_demo(job, out, quick=quick)
    show(found, json=json, text=found.summary)
