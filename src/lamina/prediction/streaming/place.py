"""Where the answer of a volume or a large image goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Place:
    """Where a streamed answer goes."""

    work: Path
    """A folder for what is needed until the store is complete."""

    store: Path
    """The folder of the Zarr array."""

    plan: str
    """Digest of all that decides the answer; work of another plan is begun anew."""

    dtype: type[np.floating[Any]] = np.float16
    """float16 for probabilities, float32 for values."""

    about: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that the store carries."""
