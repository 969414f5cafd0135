"""What every test may ask for."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.factories.bundles import Maker

# Small tensors gain nothing by threads. Torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("lamina", deadline=None)
hypothesis.settings.load_profile("lamina")


def pytest_collection_finish() -> None:
    """Start the server that processes are forked from, where a test that was found has some."""
    if "tests.factories.processes" in sys.modules:
        forkserver.ensure_running()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test skips, loudly, where it is missing."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        warnings.warn(f"REAL DATA MISSING: {folder}", stacklevel=1)
        pytest.skip(f"REAL DATA MISSING: {folder}")
    return folder


@pytest.fixture(scope="session")
def make() -> Maker:
    """Makes recipes and bundles that predict in milliseconds."""
    from tests.factories.bundles import Maker

    return Maker()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: a forked child has none of its parent's threads and waits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
