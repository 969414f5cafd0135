"""Values are made once, kept by bytes, and made for several askers only once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lamina.viewer.cases.recent import Recent


def test_the_longest_unused_goes_first() -> None:
    kept: Recent[bytes] = Recent(10, len)
    made: list[str] = []

    def make(key: str, size: int) -> bytes:
        made.append(key)
        return bytes(size)

    for key, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4)):
        kept.get(key, lambda key=key, size=size: make(key, size))
    assert made == ["a", "b", "c", "b"]
    kept.get("large", lambda: make("large", 99))
    kept.get("large", lambda: make("large", 99))
    assert made[-1] == "large"
    assert made.count("large") == 1


def test_equal_requests_wait_for_the_first() -> None:
    kept: Recent[int] = Recent(10, lambda _: 1)
    calls: list[int] = []

    def make() -> int:
        calls.append(threading.get_ident())
        time.sleep(0.05)
        return 7

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kept.get("key", make), range(4)))
    assert found == [7] * 4
    assert len(calls) == 1


def test_after_an_error_it_is_tried_again() -> None:
    kept: Recent[int] = Recent(10, lambda _: 1)
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)
    assert kept.get("key", lambda: 3) == 3
