"""Compiled inner loops of the run-length codes; imported by ``rle`` for large masks only.

An edge is a place where a pixel differs from the one before it in reading order; edges begin and
end runs in turn. Read down the columns, the pixel before is (but for the first row) the one of
the row above, so rows are compared with rows, eight pixels to a word, and the mask is never
transposed: a counting sort brings the edges into column order.

Masks are bytes of 0 and 1 in C order; the same memory is seen as little-endian words. One call
does all of a mask: handing arrays over costs more than the work on a small one.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Edges = NDArray[np.int64]

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_FIRST = np.uint64(0x0001020304050607)  # times 256**k, its top byte is k
_TOP = np.uint64(56)
_LAST_BIT = np.uint64(63)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_STRETCH = np.uint64(32)  # words


def _change(words: Words, at: np.uint64, before: np.uint64, left: np.uint64) -> Any:
    """Return the exclusive or of word ``at`` and the eight bytes that stand a distance before it.

    Those bytes lie in words ``before`` and the next; only aligned words are read. ``left`` is
    8 bits for each byte of the distance beyond whole words.
    """
    low = (words[before] >> _ONE) >> (_LAST_BIT - left)  # in two shifts, since one by 64 is void
    return words[at] ^ (low | words[before + _ONE] << left)


def _differ(words: Words, at: np.uint64, before: np.uint64, left: np.uint64) -> bool:
    """Whether any of the words of a stretch changes; without a branch, so it is vector code."""
    changed = _NONE
    for k in range(_STRETCH):
        changed |= change_of(words, at + k, before + k, left)
    return bool(changed != _NONE)


def _changes(flat: Bytes, words: Words, distance: int) -> Edges:
    """Return, rising, every place i >= distance whose byte differs from that of i - distance."""
    places = np.empty(flat.size // 32 + 1024, np.int64)  # enough at first for rare changes
    count = 0
    whole, left = distance // 8, np.uint64(8 * (distance % 8))
    head = min(8 * (whole + 1), flat.size)
    body = head
    for i in range(distance, head):
        if flat[i] != flat[i - distance]:
            places[count] = i
            count += 1
    for start in range(whole + 1, words.size - 31, 32):  # most stretches hold no change
        at, before = np.uint64(start), np.uint64(start - whole - 1)
        body = 8 * (start + 32)
        if not differ(words, at, before, left):
            continue
        if count + 1024 > places.size:  # more than a stretch and the rest at the end
            places = np.concatenate((places, np.empty(places.size, np.int64)))
        for k in range(_STRETCH):
            change = change_of(words, at + k, before + k, left)
            while change:
                lowest = change & (~change + _ONE)
                places[count] = 8 * np.int64(at + k) + np.int64((lowest * _FIRST) >> _TOP)
                count += 1
                change ^= lowest
    for i in range(body, flat.size):
        if flat[i] != flat[i - distance]:
            places[count] = i
            count += 1
    return places[:count]


def _row_edges(flat: Bytes, words: Words) -> Edges:
    """Return the edges of C order, the end of a last open run included."""
    places = changes(flat, words, 1)
    first, last = np.int64(flat[0]), np.int64(flat[-1])
    edges = np.empty(first + places.size + last, np.int64)
    edges[:first] = 0
    edges[first : first + places.size] = places
    edges[first + places.size :] = flat.size
    return edges


def _column_edges(flat: Bytes, words: Words, width: int) -> Edges:
    """Return the edges of F order, the end of a last open run included."""
    height = flat.size // width
    rows, columns = split(changes(flat, words, width), width)
    counts = np.zeros(width, np.int64)
    for c in columns:
        counts[c] += 1
    tops = np.empty(width, np.uint8)  # whether a column begins with an edge:
    tops[0] = flat[0]
    for c in range(1, width):  # its first pixel follows the last one of the column before
        tops[c] = flat[c] ^ flat[flat.size - width + c - 1]
    edges = np.empty(rows.size + tops.sum() + flat[-1], np.int64)
    free = np.empty(width, np.int64)  # where the next edge of each column goes
    total = 0
    for c in range(width):
        if tops[c]:
            edges[total] = c * height
        free[c] = total + tops[c]
        total = free[c] + counts[c]
    for k in range(rows.size):
        c = columns[k]
        edges[free[c]] = c * height + rows[k]
        free[c] += 1
    if flat[-1]:
        edges[-1] = flat.size
    return edges


def _split(places: Edges, width: int) -> tuple[Edges, Edges]:
    """Return row and column of rising places, without a division for each."""
    rows, columns = places, np.empty(places.size, np.int64)  # rows take the memory of places
    row, start = 0, 0
    for k in range(places.size):
        while places[k] >= start + width:
            row += 1
            start += width
        columns[k] = places[k] - start
        rows[k] = row
    return rows, columns


def _put(out: Bytes, at: int, value: int) -> int:
    """Write a decimal number and a blank; return the place behind."""
    size = 1
    limit = 10
    while value >= limit:
        size += 1
        limit *= 10
    rest = np.uint64(value)
    for i in range(at + size - 1, at - 1, -1):
        tenth = rest // np.uint64(10)
        out[i] = np.uint8(48) + np.uint8(rest - tenth * np.uint64(10))
        rest = tenth
    out[at + size] = 32
    return at + size + 1


def _write(edges: Edges, relative: bool, digits: int) -> Bytes:
    """Return the text of the runs between edges, with a blank behind each number.

    ``digits`` is the largest number of digits that a number can have.
    """
    out = np.empty(edges.size * (digits + 1), np.uint8)
    at = 0
    end = np.int64(0)
    for k in range(0, edges.size, 2):
        start = edges[k]
        at = put(out, at, start - end if relative else start + 1)
        end = edges[k + 1]
        at = put(out, at, end - start)
    return out[:at]


def _paint(text: Bytes, relative: bool, out: Bytes) -> bool:
    """Set the runs of ``text``, which ends in a blank, in ``out``; False: it is not in order."""
    limit = np.int64(out.size)
    start = np.int64(-1)  # of the run whose length comes next
    end = np.int64(0)
    value = np.int64(-1)  # of the number being read; -1: between numbers
    for letter in text:
        if 48 <= letter <= 57:
            value = (value if value > 0 else np.int64(0)) * 10 + (letter - 48)
            if value > limit:
                return False
            continue
        if letter != 32 and not 9 <= letter <= 13:
            return False
        if value < 0:
            continue
        if start < 0:
            start = end + value if relative else value - 1
            if start < end:
                return False
        else:
            end = start + value
            if value == 0 or end > limit:
                return False
            out[start:end] = 1
            start = np.int64(-1)
        value = np.int64(-1)
    return bool(start < 0)


def _brightest(flat: Bytes) -> Any:
    """Return all bytes or-ed: 0 where none is on, above 1 where one is neither 0 nor 1."""
    seen = np.uint8(0)
    for value in flat:
        seen |= value
    return seen


def _text(mask: NDArray[np.bool_], down: bool, relative: bool) -> Bytes:
    """Return the text of a mask (H, W) in C order, blanks between the numbers.

    Every byte but 0 is on. ``down``: read down the columns, else along the rows.
    """
    flat = mask.reshape(-1).view(np.uint8)
    most = brightest(flat)
    if most == 0:
        return np.empty(0, np.uint8)
    if most > 1 or flat.ctypes.data % 8:  # bytes of 255, or words that begin within a word
        flat = np.minimum(flat, np.uint8(1))
    words = flat[: flat.size // 8 * 8].view(np.uint64)
    edges = column_edges(flat, words, mask.shape[1]) if down else row_edges(flat, words)
    digits = 1
    while 10**digits <= flat.size:
        digits += 1
    letters: Bytes = write(edges, relative, digits)
    return letters[:-1]


change_of = _compile(_change)
differ = _compile(_differ)
changes = _compile(_changes)
put = _compile(_put)
row_edges = _compile(_row_edges)
split = _compile(_split)
column_edges = _compile(_column_edges)
write = _compile(_write)
paint = _compile(_paint)
brightest = _compile(_brightest)
text = _compile(_text)
