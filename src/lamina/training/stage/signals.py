"""How a run is asked to stop: once to save and leave, twice to leave at once (C02, C04)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lamina.progress import say


class Stop:
    """Remembers the first signal that asked to stop; ``signal`` is 0 until then."""

    def __init__(self) -> None:
        self.signal = 0

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number
        say("stopping after this step, which saves the state; press Ctrl-C again to stop at once")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM for the block; outside the main thread nothing is taken."""
        before = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, self._ask)
        except ValueError:  # not the main thread: signals are its business
            pass
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
