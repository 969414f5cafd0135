"""The row-wise run-length text of a mask that comes in bands of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MANY = 1 << 12  # edges; for fewer the compiled kernels need not be loaded


def encode_rows(bands: Iterable[NDArray[Any]]) -> Iterator[str]:
    """Yield the text of a mask in the code ``vesuvius``, piece by piece.

    A run that goes on from one band to the next is one run; what is held is a band and its edges.
    The pieces together are ``encode`` of all bands stacked.

    Args:
        bands: (n, W) each, bool or integers, from the first row to the last; W is that of all.

    Raises:
        ValueError: a band has another width, or not two axes.

    Source:
        INK-27; runs that touch the first or the last pixel are as any others.

    Example:
        >>> "".join(encode_rows([np.array([[0, 1]]), np.array([[1, 0]])]))
        '2 2'
    """
    done, width, begun, blank = 0, -1, -1, ""
    for band in bands:
        width = band.shape[-1] if width < 0 else width
        if band.ndim != 2 or band.shape[1] != width:
            raise ValueError(f"a band {band.shape} among those of {width} columns")
        edges = _edges(band, inside=begun >= 0) + done
        done += band.size
        if begun >= 0:
            edges = np.append(begun, edges)
        begun = int(edges[-1]) if edges.size % 2 else -1
        piece = _text(edges[: edges.size // 2 * 2])
        if piece:
            yield blank + piece
            blank = " "
    if begun >= 0:
        yield blank + _text(np.array([begun, done]))


def _edges(band: NDArray[Any], *, inside: bool) -> NDArray[np.int64]:
    """Return the places where runs begin and end in turn; ``inside``: one is open at first."""
    line = np.asarray(band != 0).reshape(-1)
    if not line.size:
        return np.empty(0, np.int64)
    edges = np.flatnonzero(line[1:] != line[:-1]) + 1
    return np.append(0, edges) if line[0] != inside else edges


def _text(edges: NDArray[np.int64]) -> str:
    """Return start and length of each run, from places counted from 0."""
    if edges.size >= _MANY:
        from lamina.rle import kernels

        letters = kernels.write(edges, False, len(str(edges[-1])))
        return str(letters[:-1].data, "ascii")
    starts, ends = edges.reshape(-1, 2).T
    return " ".join(map(str, np.stack([starts + 1, ends - starts], 1).ravel().tolist()))
