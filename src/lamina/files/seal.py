"""JSON objects that carry their own digest, so that damage is found when they are read.

The seal finds damage, not malice: whoever can change the values can change their seal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"
"""The key of the digest."""


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values with the digest of all of them under ``seal``.

    Example:
        >>> sorted(sealed({"size": 3}))
        ['seal', 'size']
    """
    return {**values, SEAL: seal_of(values)}


def seal_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, whatever the order of their keys, as hexadecimal."""
    text = json.dumps(values, sort_keys=True)  # NaN in a damaged file gives another digest
    return hashlib.sha256(text.encode()).hexdigest()
