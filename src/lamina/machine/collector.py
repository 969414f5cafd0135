"""Python's search for objects that refer to each other in circles, put off for a while."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Put the search off while the block makes very many objects that stay.

    Python would look through all of them again whenever their number grew by a quarter, which of
    100,000 opened images takes a third of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
