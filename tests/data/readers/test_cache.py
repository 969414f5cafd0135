"""The store of decoded arrays keeps what was used last, and no more bytes than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.readers.cache import RecentArrays


def kilobyte() -> NDArray[np.uint8]:
    return np.zeros(1024, np.uint8)


def never() -> NDArray[np.uint8]:
    raise AssertionError("was made again")


def test_an_array_is_made_once_and_cannot_be_changed() -> None:
    store = RecentArrays(4096)
    first = store.get("a", kilobyte)
    assert store.get("a", never) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_the_least_recently_used_array_goes_first() -> None:
    store = RecentArrays(2048)
    store.get("a", kilobyte)
    store.get("b", kilobyte)
    store.get("a", never)
    store.get("c", kilobyte)
    store.get("a", never)
    with pytest.raises(AssertionError, match="made again"):
        store.get("b", never)


def test_more_may_be_allowed_for_a_while() -> None:
    store = RecentArrays(2048)
    with store.allowing(4096):
        for name in "abcd":
            store.get(name, kilobyte)
        for name in "abcd":
            store.get(name, never)
    store.get("c", never)
    store.get("d", never)
    with pytest.raises(AssertionError, match="made again"):
        store.get("a", never)
    with store.allowing(1024):  # never less than otherwise
        store.get("c", never)
        store.get("d", never)


def test_an_array_above_the_limit_is_kept_until_the_next() -> None:
    store = RecentArrays(100)
    store.get("big", kilobyte)
    store.get("big", never)
    store.get("small", lambda: np.zeros(1, np.uint8))
    with pytest.raises(AssertionError, match="made again"):
        store.get("big", never)


def test_what_could_not_be_made_is_asked_for_again() -> None:
    store = RecentArrays(100)
    with pytest.raises(AssertionError):
        store.get("a", never)
    assert store.get("a", kilobyte).nbytes == 1024
