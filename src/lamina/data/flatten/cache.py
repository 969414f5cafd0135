"""Measured curves in a folder, by what they were measured from; nothing is read twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lamina.data.flatten.depth_profiles import Curves, Stack, edges_of
from lamina.data.targets.bitmask import Bits
from lamina.files import replacing
from lamina.geometry.tiling.grid import TileGrid
from lamina.volume import Chunked, Volume

_PARTS = ("count", "total", "ink_count", "ink_total")


def kept(
    stack: Stack, folder: Path | None, options: Mapping[str, int], make: Callable[[], Curves]
) -> Curves:
    """Return what ``make`` measures, from the folder where it is there, else put there.

    The name holds a digest of the files of stack, mask and ink and of the options; volumes that
    are not files are measured anew. A damaged file is measured anew too.

    Args:
        stack: What is measured.
        folder: Where; made if need be. None: nothing is kept.
        options: tile, step and shrink.
        make: Measures.
    """
    key = _key(stack, options)
    if folder is None or key is None:
        return make()
    name = re.sub(r"[^\w.-]+", "_", stack.id)
    path = folder / f"{name[-60:]}.{key}.npz"
    found = _read(path, stack, options)
    if found is None:
        found = make()
        with replacing(path) as stream:
            np.savez(stream, **{part: getattr(found, part) for part in _PARTS})
    return found


def _read(path: Path, stack: Stack, options: Mapping[str, int]) -> Curves | None:
    depth, *sides = stack.volume.shape
    shape = tuple(side // options["shrink"] for side in sides)
    tile, step = options["tile"], options["step"]
    if not path.is_file() or min(shape) < 1:
        return None
    grid = TileGrid(shape, (tile, tile), (step, step), centred=False)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            parts = {part: stored[part] for part in _PARTS}
    except Exception:  # noqa: BLE001  # zipfile and numpy raise anything on damaged files
        return None
    cells = tuple(len(edges) - 1 for edges in edges_of(grid))
    if any(one.shape not in (cells, (*cells, depth)) for one in parts.values()):
        return None
    return Curves(grid, options["shrink"], **parts)


def _key(stack: Stack, options: Mapping[str, int]) -> str | None:
    said = [_said(one) for one in (stack.volume, stack.mask, stack.ink)]
    if None in said:
        return None
    text = json.dumps([said, dict(options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _said(volume: Volume | None) -> str | None:
    if volume is None:
        return ""
    if isinstance(volume, Bits):
        return f"{volume.shape} {hashlib.sha256(volume.packed.tobytes()).hexdigest()}"
    return volume.stamp() if isinstance(volume, Chunked) else None
