"""The command that shows a run on a local page."""

from __future__ import annotations

from typing import Annotated

import typer

from lamina import folders
from lamina.cli.command import command
from lamina.cli.options import MovedData, Run


@command
def view(
    run: Run,
    data: MovedData = None,
    port: Annotated[
        int, typer.Option("--port", help="Port of this machine.", show_default="any free one")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Look at a run: cases, thresholds with the score moving, volumes, curves of training.

    A local page that only this machine can open; nothing is written. Ctrl-C ends it.
    """
    folders.check_run(run)
    from lamina.viewer.run import view as show_run

    show_run(run, data=data, port=port, browser=browser)
