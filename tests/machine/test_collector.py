"""Circles of young objects are found at once, those of old ones later."""

from __future__ import annotations

import gc
import weakref

import pytest

from lamina.machine.collector import full_collection_put_off


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


def passes(generation: int) -> int:
    return int(gc.get_stats()[generation]["collections"])


def test_young_circles_are_found_and_old_objects_are_not_looked_at() -> None:
    with full_collection_put_off():
        full, kept = passes(2), [[number] for number in range(300_000)]
        circle = weakref.ref(Circle())
        kept += [[number] for number in range(300_000)]
        assert circle() is None
        assert passes(2) == full
    assert len(kept) == 600_000


def test_thresholds_are_as_before_also_after_an_error() -> None:
    before = gc.get_threshold()
    with full_collection_put_off(), full_collection_put_off():
        assert gc.get_threshold()[:2] == before[:2]
    assert gc.get_threshold() == before
    with pytest.raises(RuntimeError), full_collection_put_off():
        raise RuntimeError
    assert gc.get_threshold() == before


def test_blocks_that_overlap_leave_the_thresholds_as_before() -> None:
    """As those of two threads, of which the first ends first."""
    before = gc.get_threshold()
    first, second = full_collection_put_off(), full_collection_put_off()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before
