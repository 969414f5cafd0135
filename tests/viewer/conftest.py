"""Boards of the run folders that reports are tested with, and of predictions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lamina.viewer.board import Board
from lamina.viewer.run import following, listener, opened, prepared
from lamina.viewer.server import Shown
from tests.factories.predictions import copied_predictions
from tests.reporting.conftest import restored_run, run_folder, volume_run

__all__ = ["restored_run", "run_folder", "volume_run"]


def shown(
    scratch: Path, *folders: Path, data: Path | None = None, truth: Path | None = None
) -> Shown:
    """Open folders, and score what is in them."""
    scratch.mkdir(exist_ok=True)
    found = opened(folders, data, truth, scratch)
    for board in found.boards:
        board.refresh()
    return found


@pytest.fixture
def board(run_folder: Path, tmp_path: Path) -> Board:
    """Six images of two classes that may overlap."""
    return shown(tmp_path / "scratch", run_folder).boards[0]


@pytest.fixture
def volume_board(volume_run: Path, tmp_path: Path) -> Board:
    """One held-out volume of one class."""
    return shown(tmp_path / "scratch", volume_run).boards[0]


@pytest.fixture
def predictions(run_folder: Path, tmp_path: Path) -> Path:
    """The predictions of the run's six images, three pixels to the right."""
    return copied_predictions(run_folder, tmp_path / "pred", shift=3)


@contextmanager
def served(found: Shown) -> Iterator[str]:
    """Serve folders on the loopback, follow them, and yield the address that lets a browser in."""
    listening = listener(0)
    address, server = prepared(found, listening)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with following(found.boards):
            yield address
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
