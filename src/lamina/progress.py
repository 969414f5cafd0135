"""What long work says on standard error: a bar on a terminal, plain lines elsewhere.

Every line also goes to the logger ``lamina``, from which ``lamina.log`` writes ``log.txt``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

LOGGER = "lamina"
_EVERY = 30.0  # seconds between plain lines


class Level(IntEnum):
    """How much standard error shows."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_level: ContextVar[Level] = ContextVar("level", default=Level.NORMAL)


@contextmanager
def showing(level: Level) -> Iterator[None]:
    """Show as much as ``level`` says while the block runs; the log always gets all."""
    token = _level.set(level)
    try:
        yield
    finally:
        _level.reset(token)


def level() -> Level:
    """Return how much standard error shows."""
    return _level.get()


def is_verbose() -> bool:
    """Whether details were asked for."""
    return _level.get() == Level.VERBOSE


class Bar:
    """Counts work done; use as a context manager, then ``advance``."""

    def __init__(self, what: str, total: int, *, done: int = 0) -> None:
        """``what`` names the work, ``total`` counts its steps, ``done`` those of an earlier run."""
        self._what, self._total, self._done, self._first = what, total, done, done
        self._begun = self._said = time.monotonic()
        self._live: Progress | None = None
        if sys.stderr.isatty() and _level.get() > Level.QUIET:
            self._live = _live_bar()
            self._task = self._live.add_task(what, total=total, completed=done, note="")

    def __enter__(self) -> Bar:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        seconds = time.monotonic() - self._begun
        detail(f"{self._what}  {self._done} of {self._total}  in {seconds:.1f} s")

    def grow(self, steps: int) -> None:
        """Count ``steps`` more to be done than were said at first."""
        self._total += steps
        if self._live is not None:
            self._live.update(self._task, total=self._total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count ``steps`` more; ``note`` stands behind the bar."""
        self._done += steps
        if self._live is not None:
            self._live.update(self._task, completed=self._done, note=note)
            return
        now = time.monotonic()
        if now - self._said >= _EVERY:
            self._said = now
            rate = (self._done - self._first) / max(now - self._begun, 1e-9)
            left = (self._total - self._done) / rate if rate else 0.0
            say(f"{self._what}  {self._done} of {self._total}  about {left:.0f} s left  {note}")


def _live_bar() -> Progress:
    from rich import progress as columns  # only a terminal needs it
    from rich.console import Console

    return columns.Progress(
        columns.TextColumn("{task.description}"),
        columns.BarColumn(),
        columns.MofNCompleteColumn(),
        columns.TimeElapsedColumn(),
        columns.TimeRemainingColumn(),
        columns.TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )


def say(line: str) -> None:
    """Print one line of progress on standard error, unless only errors are wanted; log it."""
    _print(line, Level.NORMAL)
    logging.getLogger(LOGGER).info(line.rstrip())


def detail(line: str) -> None:
    """Print one line on standard error where details are wanted; log it."""
    _print(line, Level.VERBOSE)
    logging.getLogger(LOGGER).debug(line.rstrip())


def _print(line: str, least: Level) -> None:
    if _level.get() >= least:
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()
