"""Ranges of stretched volumes, measured before training and remembered by what the files are.

Loader workers get their volumes with the range in them; a run that goes on does not measure again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from lamina.data.case import Case
from lamina.data.views.rescaled import Stretched
from lamina.errors import DataError
from lamina.files import read_json, write_json
from lamina.progress import Bar
from lamina.volume import view_chain

RANGES = "ranges.json"
"""File of the ranges in a run folder."""


def measure(cases: Sequence[Case], memory: Path) -> None:
    """Measure the range of every stretched volume that is not yet known.

    Args:
        cases: Opened; each volume of several parts is measured once.
        memory: A JSON file of ranges by digest, read and written; made if there is none.

    Raises:
        DataError: a volume cannot be read, or holds NaN or infinity.
    """
    volumes = [volume for case in cases for volume in (case.image, case.target)]
    views = [view for volume in volumes if volume is not None for view in view_chain(volume)]
    stretched = [view for view in views if isinstance(view, Stretched)]
    unknown = {id(view): view for view in stretched if view.like is None and not view.measured}
    if not unknown:
        return
    known = _remembered(memory)
    with Bar("measuring volumes", len(unknown)) as bar:
        for view in unknown.values():
            key = _key(view)
            if key in known:
                view.measured.append(known[key])
            elif key is not None:
                known[key] = view.ends
            bar.advance()
    write_json(memory, {key: list(ends) for key, ends in known.items()})


def _key(volume: Stretched) -> str | None:
    stamp = volume.stamp()
    return None if stamp is None else hashlib.sha256(stamp.encode()).hexdigest()


def _remembered(memory: Path) -> dict[str, tuple[float, float]]:
    """Return what an earlier run measured; a damaged file is measured anew."""
    if not memory.is_file():
        return {}
    try:
        rows = read_json(memory)
        ranges = {str(key): (float(low), float(high)) for key, (low, high) in rows.items()}
    except (DataError, AttributeError, TypeError, ValueError):
        return {}
    return {key: ends for key, ends in ranges.items() if all(map(math.isfinite, ends))}
