"""``lamina view``: the server on this machine's loopback."""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from lamina.errors import RecipeError
from lamina.folders import DATA_INDEX
from lamina.progress import say
from lamina.public import StrPath, as_path
from lamina.refusals import verb
from lamina.reporting.run_contents import Run
from lamina.viewer.board import Board
from lamina.viewer.server import app


@verb
def view(
    run: StrPath,
    *,
    data: StrPath | None = None,
    port: int = 0,
    browser: bool = True,
    told: Callable[[str], None] | None = None,
) -> None:
    """Show a run on a local page until it is interrupted; nothing is written.

    Only this machine can ask, and only who has the address that is printed.

    Args:
        run: A run folder of ``lamina train``, finished or not.
        data: Where the training data lie now; None: where they lay in training.
        port: Port of the loopback; 0: any free one.
        browser: Whether the page is opened.
        told: Gets the address that lets a browser in; None: it is said as progress.

    Raises:
        DataError: it is no run folder, or its data are damaged.
        RecipeError: the port is taken.
    """
    opened = Run.open(as_path(run, "run"))
    board = opened_board(opened, None if data is None else as_path(data, "data"))
    listening = listener(port)
    address, server = prepared(board, listening)
    if told is None:
        say(f"showing {opened.recipe.name} at {address} (Ctrl-C ends it)")
    else:
        told(address)
    if browser:
        webbrowser.open(address)
    server.run([listening])


def opened_board(run: Run, data: Path | None) -> Board:
    """Return the board of a run; what is known of its files is kept outside of the run."""
    with tempfile.TemporaryDirectory(prefix="lamina-view-") as folder:
        index = Path(folder) / DATA_INDEX
        if (run.folder / DATA_INDEX).is_file():
            shutil.copyfile(run.folder / DATA_INDEX, index)
        return Board(run, run.cases(data, index))


def listener(port: int) -> socket.socket:
    """Return a socket of the loopback; 0: of any free port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise RecipeError(f"--port {port} cannot be used ({error}); leave it out") from error
    return listening


def prepared(board: Board, listening: socket.socket) -> tuple[str, uvicorn.Server]:
    """Return the address that lets a browser in, and the server that is to be run."""
    token, port = secrets.token_urlsafe(32), listening.getsockname()[1]
    config = uvicorn.Config(
        app(board, token, port),
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return f"http://127.0.0.1:{port}/?token={token}", uvicorn.Server(config)
