"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_EVERY = 30.0  # seconds between plain lines


class Bar:
    """Counts work done; use as a context manager, then ``advance``."""

    def __init__(self, what: str, total: int, *, done: int = 0) -> None:
        """``what`` names the work, ``total`` counts its steps, ``done`` those of an earlier run."""
        self._what, self._total, self._done, self._first = what, total, done, done
        self._begun = self._said = time.monotonic()
        self._live: Progress | None = None
        if sys.stderr.isatty():
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
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


def say(line: str) -> None:
    """Print one line of progress on standard error."""
    sys.stderr.write(line.rstrip() + "\n")
    sys.stderr.flush()
