"""Items of a batch that failed, each with its reason, while the others go on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lamina import log
from lamina.errors import BundleError, DataError, LaminaError, ResourceError
from lamina.prediction.predict_result import FailedInput
from lamina.progress import say
from lamina.refusals import system_said


class Quarantine:
    """Whatever goes wrong with one item is noted, and the next one is begun.

    Only what would stop every item stops the batch: damaged weights, and a disk that is full or
    fails. A batch of one item ends with its error.
    """

    def __init__(self, items: int) -> None:
        """Begin a batch of that many items."""
        self.failed: list[FailedInput] = []
        self._items = items
        self._first: LaminaError = DataError("no item failed")
        self._bug: Exception | None = None

    @contextmanager
    def item(self, source: str) -> Iterator[None]:
        """Work on one item; the block ends early where it fails."""
        try:
            with system_said():
                yield
        except Exception as error:
            if self._items == 1 or _stops_all(error):
                raise
            self._note(source, error)

    def _note(self, source: str, error: Exception) -> None:
        why = str(error)
        if not isinstance(error, LaminaError):
            first = (str(error).splitlines() or ["no more is known"])[0]
            why = f"{source}: {type(error).__name__}: {first}; not expected, log.txt has more"
            log.note(traceback.format_exc())
        if not self.failed:
            self._bug = None if isinstance(error, LaminaError) else error
            self._first = error if isinstance(error, LaminaError) else self._first
        say(f"left out: {why}")
        self.failed.append(FailedInput(source, why))

    def check_any(self, done: int, what: str) -> None:
        """End with the reason of the first item where ``done`` items are none.

        Raises:
            LaminaError: nothing could be done; a mistake in the code is raised as it was.
        """
        if done or not self.failed:
            return
        if self._bug is not None:
            raise self._bug
        if not isinstance(self._first, DataError):
            raise self._first
        raise DataError(f"none of {self._items} {what}: {self.failed[0].why}")


def _stops_all(error: Exception) -> bool:
    if isinstance(error, ResourceError):
        return isinstance(error.__cause__, OSError)
    return isinstance(error, BundleError)
