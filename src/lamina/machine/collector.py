"""Python's search for objects that refer to each other in circles, among old objects put off."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 1_000_000  # searches among younger objects before one among all


@contextmanager
def full_collection_put_off() -> Iterator[None]:
    """Search among young objects only while the block makes very many that stay.

    Python would look through all of them again whenever their number grew by a quarter, which of
    100,000 opened images takes a third of the time, and of a model that is loaded a fifth. What
    lives shortly is still found. Of blocks that run at once in several threads, the one that
    changed the threshold sets it back.
    """
    before = gc.get_threshold()
    if before[2] >= _SELDOM:
        yield
        return
    gc.set_threshold(before[0], before[1], _SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
