"""A viewer in a process of its own, beside a training."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lamina.errors import LaminaError
from lamina.folders import RUN_RECIPE
from lamina.viewer.gate import Gate
from lamina.viewer.run import address_of, following, listener, opened, server_of
from lamina.viewer.server import app

_EVERY = 1.0  # seconds between two looks for the run folder, and for the training

_WAITING = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2"><title>lamina view</title>
<link rel="icon" href="data:,"></head>
<body><main><p id="waiting">The training has not begun yet: the data are being read.</p></main>
</body></html>"""


@contextmanager
def viewing(run: Path, data: Path, port: int = 0) -> Iterator[str]:
    """Serve the page of a run folder that is about to be trained; yield its address.

    The server is a process of its own, which ends with the block, and also where this process
    ends otherwise. Until training has begun, the page says so.

    Args:
        run: The run folder; it need not be there yet.
        data: Its data folder.
        port: Of the loopback; 0: any free one.

    Raises:
        RecipeError: the port is taken.
    """
    token = secrets.token_urlsafe(32)
    listening = listener(port)
    address = address_of(token, listening.getsockname()[1])
    context = multiprocessing.get_context("spawn")
    arguments = (listening, token, run.absolute(), data.absolute(), os.getpid())
    process = context.Process(target=_serve, args=arguments, name="lamina view", daemon=True)
    process.start()
    listening.close()
    try:
        yield address
    finally:
        process.terminate()
        process.join(10)


def _serve(listening: socket.socket, token: str, run: Path, data: Path, parent: int) -> None:
    """Serve until the parent ends or asks to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which saves first
    if hasattr(os, "nice"):
        os.nice(5)  # training comes first
    port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="lamina-view-") as scratch:
        page = _Page(run, data, Path(scratch), token, port)
        server = server_of(page)

        def watch() -> None:
            while os.getppid() == parent and not server.should_exit:
                time.sleep(_EVERY)
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
        with page.opening():
            server.run([listening])


class _Page:
    """Says that the training has not begun, and then shows it."""

    def __init__(self, run: Path, data: Path, scratch: Path, token: str, port: int) -> None:
        self._run, self._data, self._scratch = run, data, scratch
        self._token, self._port = token, port
        self._shown: ASGIApp = Gate(HTMLResponse(_WAITING), token, port)
        self._over = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._shown(scope, receive, send)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Open the run folder in a thread as soon as it is there."""
        thread = threading.Thread(target=self._open, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _open(self) -> None:
        while not self._over.wait(_EVERY):
            if not (self._run / RUN_RECIPE).is_file():
                continue
            try:
                folder = Path(tempfile.mkdtemp(dir=self._scratch))
                shown = opened([self._run], self._data, None, folder)
            except LaminaError:  # it is being written; an earlier run may leave a damaged one
                continue
            self._shown = app(shown, self._token, self._port)
            with following(shown.boards):
                self._over.wait()
