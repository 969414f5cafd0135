"""Ranges of stretched volumes, measured before training and remembered by what the files are.

Loader workers get their volumes with the range in them; a run that goes on does not measure again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamina.data.case import Case
from lamina.data.prepare.unpack import says
from lamina.data.views.base import behind
from lamina.data.views.rescaled import Stretched
from lamina.errors import DataError
from lamina.files import read_json, write_json
from lamina.progress import Bar
from lamina.volume import Volume


def measure(cases: Sequence[Case], memory: Path) -> None:
    """Measure the range of every stretched volume that is not yet known.

    Args:
        cases: Opened; each volume of several parts is measured once.
        memory: A JSON file of ranges by digest, read and written; made if there is none.

    Raises:
        DataError: a volume cannot be read, or holds NaN or infinity.
    """
    volumes = [one for case in cases for one in (case.image, case.target) if one is not None]
    seen = [one for volume in volumes for one in _stretched(volume)]
    left = {id(one): one for one in seen if one.like is None and not one.found}
    if not left:
        return
    known = _remembered(memory)
    with Bar("measuring volumes", len(left)) as bar:
        for one in left.values():
            key = _key(one)
            if key in known:
                one.found.append(known[key])
            elif key is not None:
                known[key] = one.ends
            bar.advance()
    write_json(memory, {key: list(ends) for key, ends in known.items()})


def _stretched(volume: Volume) -> Iterator[Stretched]:
    view: Volume | None = volume
    while view is not None:
        if isinstance(view, Stretched):
            yield view
        view = behind(view)


def _key(volume: Stretched) -> str | None:
    said = says(volume)
    return None if said is None else hashlib.sha256(said.encode()).hexdigest()


def _remembered(memory: Path) -> dict[str, tuple[float, float]]:
    """Return what an earlier run measured; a damaged file is measured anew."""
    if not memory.is_file():
        return {}
    try:
        rows = read_json(memory)
        found = {str(key): (float(low), float(high)) for key, (low, high) in rows.items()}
    except (DataError, AttributeError, TypeError, ValueError):
        return {}
    return {key: ends for key, ends in found.items() if all(map(math.isfinite, ends))}
