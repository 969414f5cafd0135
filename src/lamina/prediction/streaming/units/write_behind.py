"""A thread that writes what was answered, one unit behind; or none, where it would not help."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class WriteBehind:
    """Writes in a thread; a context manager, at whose end everything is written and noted."""

    def __init__(self, overlapped: bool = True) -> None:
        """Begin without anything to write; where not ``overlapped``, the caller writes itself."""
        self._overlapped = overlapped
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lamina-write")
        self._last: tuple[Future[str], Callable[[str], object]] | None = None

    def put(self, write: Callable[[], str], note: Callable[[str], object]) -> None:
        """Write while the caller goes on, once what was put before is written and noted.

        Args:
            write: Returns the digest of what it wrote.
            note: Takes the digest, in the caller's thread, by the next ``put`` or the end.
        """
        if not self._overlapped:
            note(write())
            return
        self._settle()
        self._last = self._thread.submit(write), note

    def _settle(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last[1](last[0].result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note what is written, even where the next unit failed."""
        try:
            self._settle()
        finally:
            self._thread.shutdown()
