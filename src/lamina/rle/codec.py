"""Run-length text for masks, in the three codes of the competitions.

========= ============================= ============== ============ ==============
code      pairs                         reading order  empty mask   source
========= ============================= ============== ============ ==============
severstal start length, first pixel 1   down columns   empty text   STEEL-4
siim      gap length, gap since the     down columns   ``-1``       SIIM-2
          end of the run before
vesuvius  start length, first pixel 1   along rows     empty text   INK-27
========= ============================= ============== ============ ==============

A run may go over the end of a column or row. Every mask survives there and back: also the full
one and those that touch the first or last pixel, which published encoders lost (SIIM-3, INK-27).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError

Code = Literal["severstal", "siim", "vesuvius"]

_LARGE_MASK = 1 << 16  # pixels; below, the half second to import the kernels is not worth it
_LARGE_TEXT = 1 << 10  # letters; a shorter text has so few runs that numpy is as fast


def encode(mask: NDArray[Any], code: Code) -> str:
    """Return the run-length text of a mask.

    Args:
        mask: (H, W), bool or integers; every value but 0 counts as on.
        code: One of the three codes above.

    Returns:
        Numbers parted by single blanks, in the canonical form: runs as long as they can be.

    Raises:
        ValueError: the mask does not have two axes, or holds numbers with a fraction.

    Example:
        >>> encode(np.array([[0, 1], [1, 1]]), "severstal")
        '2 3'
    """
    if mask.ndim != 2:
        raise ValueError(f"run-length codes are for masks (H, W), not for the shape {mask.shape}")
    if mask.dtype.kind not in "bui":
        raise ValueError(f"a mask is bool or integers, not {mask.dtype}; decide by a threshold")
    bits = mask if mask.dtype == np.bool_ else mask != 0
    text = _write_large(bits, code) if bits.size >= _LARGE_MASK else _write_small(bits, code)
    return "-1" if code == "siim" and not text else text


def decode(text: str, shape: tuple[int, int], code: Code) -> NDArray[np.bool_]:
    """Return the mask of a run-length text.

    Runs must rise and may touch but not overlap, since the text would otherwise not be in the
    code it is said to be in. Blanks around are ignored.

    Args:
        text: The text; see the table above for empty masks.
        shape: Rows and columns (H, W) of the mask.
        code: One of the three codes above.

    Returns:
        (H, W) bool. With codes that read down columns the columns lie together in memory (F
        order), as the text has them.

    Raises:
        DataError: the text is malformed; the message names the token by its position, from 1.
        TypeError: the text is not a string (an empty cell that was read as NaN or None).
        ValueError: the shape is not one of an image.

    Example:
        >>> decode("2 3", (2, 2), "severstal").astype(int).tolist()
        [[0, 1], [1, 1]]
    """
    if not isinstance(text, str):
        raise TypeError(f"run-length text is a string, not {text!r}; pass '' for an empty cell")
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"a mask has rows and columns, not the shape {shape}")
    flat = np.zeros(shape[0] * shape[1], np.bool_)
    stripped = text.strip()
    if code == "siim" and not stripped:
        raise DataError("run-length text: no token; the siim code writes '-1' for an empty mask")
    if stripped and (code != "siim" or stripped != "-1"):
        _fill(flat, stripped, code)
    return flat.reshape(shape) if code == "vesuvius" else flat.reshape(shape[::-1]).T


def _write_large(bits: NDArray[np.bool_], code: Code) -> str:
    from lamina.rle import kernels

    reading = bits if code == "vesuvius" else bits.T
    if reading.flags.c_contiguous:
        flat, words = _memory(reading)
        edges = kernels.row_edges(flat, words)
    else:
        flat, words = _memory(reading.T)
        edges = kernels.column_edges(flat, words, reading.shape[0])
    letters = kernels.write(edges, code == "siim", len(str(bits.size)))
    return str(letters[:-1].data, "ascii")


def _memory(bits: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Return the bytes of a mask in C order, and all whole words of the same memory."""
    flat = np.ascontiguousarray(bits).reshape(-1).view(np.uint8)
    if flat.max() > 1:  # a bool that looks at bytes of 255, as cv2 writes them
        flat = flat.clip(max=1)
    words = _words(flat)
    if not words.flags.aligned:
        flat = flat.copy()
        words = _words(flat)
    return flat, words


def _words(flat: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return flat[: flat.size // 8 * 8].view(np.uint64)


def _write_small(bits: NDArray[np.bool_], code: Code) -> str:
    line = np.zeros(bits.size + 2, np.bool_)  # one pixel off at both ends closes every run
    line[1:-1] = bits.ravel(order="C" if code == "vesuvius" else "F")
    starts, ends = np.flatnonzero(line[1:] != line[:-1]).reshape(-1, 2).T
    first = starts - np.concatenate([[0], ends[:-1]]) if code == "siim" else starts + 1
    return " ".join(map(str, np.stack([first, ends - starts], 1).ravel().tolist()))


def _fill(flat: NDArray[np.bool_], text: str, code: Code) -> None:
    """Set the runs of ``text`` in ``flat``, all off so far."""
    if len(text) >= _LARGE_TEXT and text.isascii():
        letters = np.frombuffer(text.encode() + b" ", np.uint8)
        from lamina.rle import kernels

        if kernels.paint(letters, code == "siim", flat.view(np.uint8)):
            return
        # The text is not in order: the slow way finds out where.
    starts, ends = _runs(text, flat.size, code)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        flat[start:end] = True


def _runs(text: str, pixels: int, code: Code) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the checked starts and ends, half-open and counted from 0."""
    tokens = text.split()
    for place, token in enumerate(tokens, 1):
        if not (token.isascii() and token.isdigit()):
            raise _bad(place, token, "is not a whole number of digits 0-9")
        if len(token.lstrip("0")) > len(str(pixels)):
            raise _bad(place, token, f"is more than the {pixels} pixels of the mask")
    if len(tokens) % 2:
        raise _bad(len(tokens), tokens[-1], "is the last, but a length must follow it")
    first, lengths = np.array(tokens, np.int64).reshape(-1, 2).T
    ends = np.cumsum(first + lengths) if code == "siim" else first - 1 + lengths
    starts = ends - lengths
    before = np.concatenate([[0], ends[:-1]])
    problems = {
        "starts a run before pixel 1 or before the end of the run before": (starts < before, 0),
        f"starts a run beyond the last of {pixels} pixels": (starts >= pixels, 0),
        "is the length of a run without pixels": (lengths < 1, 1),
        f"lets a run end beyond the last of {pixels} pixels": (ends > pixels, 1),
    }
    violations = [
        (2 * int(where.argmax()) + second + 1, why)
        for why, (where, second) in problems.items()
        if where.any()
    ]
    if violations:
        place, why = min(violations)
        raise _bad(place, tokens[place - 1], why)
    return starts, ends


def _bad(place: int, token: str, why: str) -> DataError:
    return DataError(
        f"run-length text: token {place} ({token[:24]!r}) {why}; "
        "check the text, the code and the shape of the mask"
    )
