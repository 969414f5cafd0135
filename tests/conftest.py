"""What every test may ask for."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test skips, loudly, where it is missing."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        warnings.warn(f"REAL DATA MISSING: {folder}", stacklevel=1)
        pytest.skip(f"REAL DATA MISSING: {folder}")
    return folder
