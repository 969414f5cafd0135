"""Boards of the run folders that reports are tested with."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.reporting.run_contents import Run
from lamina.viewer.board import Board
from lamina.viewer.run import opened_board
from tests.reporting.conftest import restored_run, run_folder, volume_run

__all__ = ["restored_run", "run_folder", "volume_run"]


@pytest.fixture
def board(run_folder: Path) -> Board:
    """Six images of two classes that may overlap."""
    return opened_board(Run.open(run_folder), None)


@pytest.fixture
def volume_board(volume_run: Path) -> Board:
    """One held-out volume of one class."""
    return opened_board(Run.open(volume_run), None)
