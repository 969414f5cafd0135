"""What was read or made last, kept up to a number of bytes; equal requests wait for each other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, the longest unused dropped first; the newest is always kept."""

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        """Keep values up to ``limit`` bytes, of which each has ``size``."""
        self._limit, self._size = limit, size
        self._held: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, or make and keep it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._held:
                    return self._held[key]
            try:
                value = make()
                with self._lock:
                    self._held[key] = value
                    self._drop()
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _drop(self) -> None:
        while len(self._held) > 1 and sum(map(self._size, self._held.values())) > self._limit:
            self._held.popitem(last=False)
