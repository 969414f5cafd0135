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

import sys
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError

Code = Literal["severstal", "siim", "vesuvius"]

_LARGE_MASK = 1 << 16  # pixels; below, the half second to import the kernels is not worth it
_MANY_NUMBERS = 1 << 7  # of fewer each is found faster by itself
_SMALL_MASK = 1 << 12  # pixels; below, numpy is as fast even where the kernels are there
_SMALL_TEXT = 1 << 6  # letters; the same
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
    kind = mask.dtype.kind
    if kind not in "bui":
        raise ValueError(f"a mask is bool or integers, not {mask.dtype}; decide by a threshold")
    bits = mask if kind == "b" else mask != 0
    compiled = _is_compiled_faster(bits.size, _LARGE_MASK, _SMALL_MASK)
    text = _write_large(bits, code) if compiled else _write_small(bits, code)
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


def _is_compiled_faster(size: int, large: int, small: int) -> bool:
    """Whether the compiled way is the faster one; else not worth an import, or even a call."""
    return size >= (small if "lamina.rle.kernels" in sys.modules else large)


def _write_large(bits: NDArray[np.bool_], code: Code) -> str:
    # Of a small mask an import statement costs as much as the call.
    compiled: Any = sys.modules.get("lamina.rle.kernels")
    if compiled is None:
        from lamina.rle import kernels

        compiled = kernels
    flags, along = bits.flags, code == "vesuvius"
    if flags.c_contiguous:
        mask, down = bits, not along
    elif flags.f_contiguous:
        mask, down = bits.T, along
    else:
        mask, down = np.ascontiguousarray(bits), not along
    return str(compiled.text(mask, down, code == "siim").data, "ascii")


def _write_small(bits: NDArray[np.bool_], code: Code) -> str:
    if not bits.any():
        return ""
    data, relative = _reading_order(bits, code), code == "siim"
    numbers: list[int] = []
    start, end = data.find(1), 0
    while start >= 0:
        if len(numbers) >= _MANY_NUMBERS:
            return _write_many(data, relative)
        stop = data.find(0, start)
        stop = len(data) if stop < 0 else stop
        numbers += (start - end if relative else start + 1, stop - start)
        start, end = data.find(1, stop), stop
    return " ".join(map(str, numbers))


def _reading_order(bits: NDArray[np.bool_], code: Code) -> bytes:
    """Return the pixels of a mask one after another, bytes of 0 and 1."""
    lines = bits.view(np.uint8) if code == "vesuvius" else bits.view(np.uint8).T
    if lines.T.flags.c_contiguous and not lines.flags.c_contiguous:
        # Several times as fast as a copy by numpy.
        lines = np.asarray(cv2.transpose(lines.T), np.uint8)
    on: NDArray[np.bool_] = lines != 0
    return on.tobytes()


def _write_many(data: bytes, relative: bool) -> str:
    line = np.frombuffer(b"\0" + data + b"\0", np.uint8)  # a pixel off at both ends closes each run
    starts, ends = np.flatnonzero(line[1:] != line[:-1]).reshape(-1, 2).T
    first = starts - np.concatenate([[0], ends[:-1]]) if relative else starts + 1
    return " ".join(map(str, np.stack([first, ends - starts], 1).ravel().tolist()))


def _fill(flat: NDArray[np.bool_], text: str, code: Code) -> None:
    """Set the runs of ``text`` in ``flat``, all off so far."""
    compiled = _is_compiled_faster(len(text), _LARGE_TEXT, _SMALL_TEXT)
    if compiled and text.isascii():
        letters = np.frombuffer(text.encode() + b" ", np.uint8)
        from lamina.rle import kernels

        if kernels.paint(letters, code == "siim", flat.view(np.uint8)):
            return
        # The text is not in order: the slow way finds out where.
    elif _fill_few(flat, text, relative=code == "siim"):
        return
    starts, ends = _runs(text, flat.size, code)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        flat[start:end] = True


def _fill_few(flat: NDArray[np.bool_], text: str, *, relative: bool) -> bool:
    """Set the few runs of ``text``; False: it is not in order."""
    tokens = text.split()
    if len(tokens) % 2 or not (text.isascii() and "".join(tokens).isdigit()):
        return False
    end = 0
    numbers = iter(map(int, tokens))
    for first, length in zip(numbers, numbers, strict=True):
        start = end + first if relative else first - 1
        if start < end or not length:
            return False
        end = start + length
        flat[start:end] = True
    return end <= flat.size


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
