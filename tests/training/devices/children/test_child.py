"""A process of one device, and what its parent sends it."""

from __future__ import annotations

import multiprocessing

import pytest

from lamina.training.devices.children import child
from lamina.training.devices.failures import Failed


def test_what_cannot_be_read_is_told_and_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent waits for an answer: without one it would wait for ever."""
    ended: list[int] = []
    monkeypatch.setattr(child.os, "_exit", ended.append)
    here, there = multiprocessing.Pipe()
    parent = child._Parent(there)
    here.send_bytes(b"not a pickle")
    assert here.poll(60)
    told = here.recv()
    assert isinstance(told, Failed)
    assert "lamina was updated meanwhile; run the same command again" in str(told.error())
    here.close()
    parent.thread.join(60)
    assert ended == [1]
