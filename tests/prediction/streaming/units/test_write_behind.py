"""What was answered is written in another thread, in order, and noted in this one."""

from __future__ import annotations

import threading

import pytest

from lamina.prediction.streaming.units.write_behind import WriteBehind


def test_one_is_written_while_the_next_is_answered() -> None:
    noted: list[tuple[str, str]] = []
    answering, written = threading.Event(), threading.Event()

    def write() -> str:
        assert answering.wait(10)  # this thread goes on before it is written
        written.set()
        return threading.current_thread().name

    with WriteBehind() as behind:
        behind.put(write, lambda name: noted.append(("first", name)))
        assert not noted
        answering.set()
        assert written.wait(10)
        behind.put(lambda: "x", lambda name: noted.append(("second", name)))
        assert [name for name, _ in noted] == ["first"]
    assert [name for name, _ in noted] == ["first", "second"]
    assert noted[0][1].startswith("lamina-write")


def test_what_cannot_be_written_is_an_error_and_is_not_noted() -> None:
    noted: list[str] = []

    def fails() -> str:
        raise OSError("the disk is full")

    def both() -> None:
        with WriteBehind() as behind:
            behind.put(lambda: "first", noted.append)
            behind.put(fails, noted.append)

    with pytest.raises(OSError, match="the disk is full"):
        both()
    assert noted == ["first"]


def test_what_is_written_is_noted_though_the_next_fails() -> None:
    noted: list[str] = []

    def interrupted() -> None:
        with WriteBehind() as behind:
            behind.put(lambda: "first", noted.append)
            raise ValueError("the next")

    with pytest.raises(ValueError, match="the next"):
        interrupted()
    assert noted == ["first"]
