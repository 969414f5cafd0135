"""``lamina view``: the server on this machine's loopback."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from lamina.errors import DataError, RecipeError
from lamina.folders import PREDICTION, RUN_RECIPE
from lamina.progress import say
from lamina.public import StrPath, as_path
from lamina.refusals import verb
from lamina.viewer.board import Board
from lamina.viewer.comparison import check_alike
from lamina.viewer.live import Training
from lamina.viewer.server import Shown, app
from lamina.viewer.sources.contents import Source
from lamina.viewer.sources.prediction_source import PredictionSource
from lamina.viewer.sources.run_source import RunSource

_EVERY = 2.0  # seconds between two looks for what is new
_PATIENCE = 3.0  # seconds for the case that is scored while the server ends


@verb
def view(
    folder: StrPath,
    other: StrPath | None = None,
    *,
    data: StrPath | None = None,
    truth: StrPath | None = None,
    port: int = 0,
    browser: bool = True,
    told: Callable[[str], None] | None = None,
) -> None:
    """Show a run or predictions on a local page until it is interrupted; nothing is written.

    Only this machine can ask, and only who has the address that is printed. What training or
    prediction adds meanwhile appears on the page.

    Args:
        folder: A run folder of ``lamina train`` or a folder of ``lamina predict``, finished or not.
        other: Another one: both are compared, case by case.
        data: Where the training data of runs, or the images of predictions, lie now; None: where
            they lay.
        truth: The data folder with the truth of predictions; None: they have no score.
        port: Port of the loopback; 0: any free one.
        browser: Whether the page is opened.
        told: Gets the address that lets a browser in; None: it is said as progress.

    Raises:
        DataError: a folder is neither, or its data are damaged.
        RecipeError: the port is taken, two folders do not compare, or a truth is given for runs.
    """
    folders = [as_path(folder, "folder")]
    if other is not None:
        folders.append(as_path(other, "other"))
    moved = None if data is None else as_path(data, "data")
    masks = None if truth is None else as_path(truth, "truth")
    with (
        tempfile.TemporaryDirectory(prefix="lamina-view-") as scratch,
        listener(port) as listening,
    ):
        shown = opened(folders, moved, masks, Path(scratch))
        address, server = prepared(shown, listening)
        if told is None:
            names = " and ".join(board.recipe.name for board in shown.boards)
            say(f"showing {names} at {address} (Ctrl-C ends it)")
        else:
            told(address)
        if browser:
            webbrowser.open(address)
        with following(shown.boards):
            server.run([listening])


def opened(folders: Sequence[Path], data: Path | None, truth: Path | None, scratch: Path) -> Shown:
    """Return what one folder or two show; no case is scored yet.

    Args:
        folders: Runs or predictions.
        data: Where training data or images lie now.
        truth: Of predictions.
        scratch: An empty folder outside of them.

    Raises:
        DataError: a folder is neither a run nor predictions.
        RecipeError: two folders do not compare, or no folder could have the truth.
    """
    sources = [_source(folder, data, truth, scratch / str(n)) for n, folder in enumerate(folders)]
    if truth is not None and all(source.is_run for source in sources):
        raise RecipeError(
            "--truth is of predictions, and a run knows its own; name a folder of `lamina predict` "
            "or leave --truth out"
        )
    boards = [Board(source, scratch / str(n)) for n, source in enumerate(sources)]
    if len(boards) == 2:
        check_alike(*boards)
    return Shown(boards, Training(folders[0]) if boards[0].is_run else None)


def _source(folder: Path, data: Path | None, truth: Path | None, scratch: Path) -> Source:
    scratch.mkdir()
    if (folder / RUN_RECIPE).is_file():
        return RunSource(folder, data, scratch)
    if (folder / PREDICTION).is_file():
        return PredictionSource(folder, truth, data, scratch)
    what = f"no {RUN_RECIPE} and no {PREDICTION} in it" if folder.is_dir() else "no such folder"
    raise DataError(
        f"{folder}: {what}; name a run folder of `lamina train` or a folder of `lamina predict`"
    )


@contextmanager
def following(boards: Sequence[Board]) -> Iterator[None]:
    """Score the cases of boards, and then what is new, in a thread while the block runs."""
    over = threading.Event()

    def follow() -> None:
        while True:
            for board in boards:
                board.refresh(over.is_set)
            if over.wait(_EVERY):
                return

    thread = threading.Thread(target=follow, name="lamina view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_PATIENCE)


def listener(port: int) -> socket.socket:
    """Return a socket of the loopback, on which browsers may wait already; 0: of any free port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise RecipeError(f"--port {port} cannot be used ({error}); leave it out") from error
    return listening


def address_of(token: str, port: int) -> str:
    """Return the address that lets a browser in."""
    return f"http://127.0.0.1:{port}/?token={token}"


def prepared(shown: Shown, listening: socket.socket) -> tuple[str, uvicorn.Server]:
    """Return the address that lets a browser in, and the server that is to be run."""
    token, port = secrets.token_urlsafe(32), listening.getsockname()[1]
    return address_of(token, port), server_of(app(shown, token, port))


def server_of(application: object) -> uvicorn.Server:
    """Return a quiet server of an application."""
    config = uvicorn.Config(
        application,  # type: ignore[arg-type]
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
