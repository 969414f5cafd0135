"""``log.txt`` of a run or prediction folder: all that a command said, with times and tracebacks.

A command opens one ``session``. The function that does the work calls ``keep_log`` as soon as
the folder is its own; what was said before is then written first, and the result or the error
that follows is written too. Without a session, as from Python, the log ends with the block.

Lines are appended whole, one write each, so that neither a kill nor a second process can tear
one; after a cut-off last line the next begins on a line of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from lamina.progress import LOGGER

LOG = "log.txt"


class _Early(logging.Handler):
    """Remembers what is said before a folder is known."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class _LogFile(logging.Handler):
    """Appends each record to a file; a disk that refuses ends the log, never the work."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._refused = False

    def emit(self, record: logging.LogRecord) -> None:
        if self._refused:
            return
        try:
            with self.path.open("a+b", buffering=0) as stream:
                stream.write(_separator(stream.tell(), self.path) + self._line(record))
        except OSError as error:
            self._refused = True
            sys.stderr.write(f"{self.path}: cannot be written ({error.strerror}); no log is kept\n")

    def _line(self, record: logging.LogRecord) -> bytes:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{clock}  {self.format(record)}\n".encode(errors="replace")


class _Session:
    """One command: what it said so far, and the log that stays open until it ends."""

    def __init__(self) -> None:
        self.early = _Early()
        self.logs = ExitStack()
        self.path: Path | None = None

    def begin(self, path: Path) -> None:
        """Write what was said so far to ``path``, and from now on all that follows."""
        self.path = path
        log = _LogFile(path)
        for record in self.early.records:
            log.handle(record)
        logging.getLogger(LOGGER).removeHandler(self.early)
        self.early.records.clear()
        self.logs.enter_context(_listening(log))


_session: ContextVar[_Session | None] = ContextVar("session", default=None)


@contextmanager
def session() -> Iterator[None]:
    """Hold what is said in the block for the log of a folder that is named within it."""
    here = _Session()
    token = _session.set(here)
    try:
        with _listening(here.early), here.logs:
            yield
    finally:
        _session.reset(token)


@contextmanager
def keep_log(folder: Path) -> Iterator[None]:
    """Append what is said in the block to ``folder``/log.txt.

    The first folder of a session also gets what was said before, and what is said after.
    """
    path = folder / LOG
    here = _session.get()
    if here is None:
        with _listening(_LogFile(path)):
            yield
    elif path == here.path:
        yield
    elif here.path is None:
        here.begin(path)
        yield
    else:  # such as the run of one member within the run of all
        with _listening(_LogFile(path)):
            yield


def note(text: str) -> None:
    """Write ``text`` to the logs that are open, and nowhere else."""
    logging.getLogger(LOGGER).info(text.rstrip())


@contextmanager
def _listening(handler: logging.Handler) -> Iterator[None]:
    """Give all records to a handler while the block runs."""
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def _separator(size: int, path: Path) -> bytes:
    """Return the line end that a killed process did not write, or nothing."""
    if not size:
        return b""
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return b"" if stream.read(1) == b"\n" else b"\n"
