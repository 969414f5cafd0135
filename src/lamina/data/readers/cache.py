"""The arrays decoded last, kept up to a fixed number of bytes for the whole process.

Tiles of one image are asked for one after another; without this each of them would decode the
image again. One store for all readers, so that ten thousand open images hold no more than one.
Nothing here is pickled: a loader worker starts empty. Training, which comes back to every image
in every epoch, allows more (``allowing``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from numpy.typing import NDArray


class RecentArrays:
    """Minimum recently used arrays, dropped when together they exceed ``limit`` bytes.

    The newest array is kept even where it alone exceeds the limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[Hashable, NDArray[Any]] = {}  # oldest first
        self._bytes = 0
        self._lock = Lock()

    @contextmanager
    def allowing(self, limit: int) -> Iterator[None]:
        """Keep up to ``limit`` bytes while the block runs, if that is more than otherwise."""
        before, self._limit = self._limit, max(limit, self._limit)
        try:
            yield
        finally:
            with self._lock:
                self._limit = before
                self._drop()

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array kept under ``key``, or make, keep and return it; it is read-only."""
        with self._lock:
            array = self._held.pop(key, None)
            if array is not None:
                self._held[key] = array  # now the newest
                return array
        array = make()
        array.setflags(write=False)
        with self._lock:
            if key not in self._held:
                self._held[key] = array
                self._bytes += array.nbytes
            self._drop()
        return array

    def _drop(self) -> None:
        while self._bytes > self._limit and len(self._held) > 1:
            self._bytes -= self._held.pop(next(iter(self._held))).nbytes


RECENT = RecentArrays(64 << 20)
"""Shared by the readers that decode."""
