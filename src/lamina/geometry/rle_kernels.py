"""Compiled inner loops of the run-length codes; imported by ``rle`` for large masks only.

An edge is a place where a pixel differs from the one before it in reading order; edges begin and
end runs in turn. Read down the columns, the pixel before is (but for the first row) the one of
the row above, so rows are compared with rows, eight pixels to a word, and the mask is never
transposed: a counting sort brings the edges into column order.

Masks are bytes of 0 and 1 in C order, passed with the same memory seen as little-endian words.
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
_ONE = np.uint64(1)


def _word_before(words: Words, j: int, whole: int, left: np.uint64, right: np.uint64) -> Any:
    """Return the eight bytes that stand ``distance`` bytes before word j, from aligned words."""
    return ((words[j - whole - 1] >> _ONE) >> right) | (words[j - whole] << left)


def _row_edges(flat: Bytes, words: Words) -> Edges:
    """Return the edges of C order, the end of a last open run included."""
    count = np.int64(flat[0])
    for i in range(1, flat.size):
        count += flat[i] ^ flat[i - 1]
    edges = np.empty(count + flat[-1], np.int64)
    found = 0
    before = np.uint8(0)
    for i in range(min(8, flat.size)):
        if flat[i] != before:
            edges[found] = i
            found += 1
        before = flat[i]
    for j in range(1, words.size):
        change = words[j] ^ word_before(words, j, 0, np.uint64(8), np.uint64(55))
        while change:
            low = change & (~change + _ONE)
            edges[found] = 8 * j + np.int64((low * _FIRST) >> _TOP)
            found += 1
            change ^= low
    for i in range(max(8 * words.size, 8), flat.size):
        if flat[i] != flat[i - 1]:
            edges[found] = i
            found += 1
    if flat[-1]:
        edges[found] = flat.size
    return edges


def _column_counts(flat: Bytes, width: int) -> Edges:
    """Return the number of edges of each column."""
    height = flat.size // width
    counts = np.zeros(width, np.int64)
    lanes = np.zeros(width, np.uint8)
    counts[0] = flat[0]
    for c in range(1, width):
        counts[c] = flat[c] ^ flat[(height - 1) * width + c - 1]
    for top in range(1, height, 255):  # as many rows as a byte can count
        lanes[:] = 0
        for r in range(top, min(top + 255, height)):
            this, above = flat[r * width : (r + 1) * width], flat[(r - 1) * width : r * width]
            for c in range(width):
                lanes[c] += this[c] ^ above[c]
        for c in range(width):
            counts[c] += lanes[c]
    return counts


def _column_edges(flat: Bytes, words: Words, width: int) -> Edges:
    """Return the edges of F order, the end of a last open run included."""
    height = flat.size // width
    place = column_counts(flat, width)  # becomes: where the next edge of each column goes
    total = 0
    for c in range(width):
        count = place[c]
        place[c] = total
        total += count
    edges = np.empty(total + flat[-1], np.int64)
    for c in range(width):
        before = flat[(height - 1) * width + c - 1] if c else np.uint8(0)
        if flat[c] != before:
            edges[place[c]] = c * height
            place[c] += 1
    first = min((width + 7) // 8 * 8, flat.size)
    for i in range(width, first):
        if flat[i] != flat[i - width]:
            c = i % width
            edges[place[c]] = c * height + i // width
            place[c] += 1
    whole = width // 8
    left = np.uint64(8 * (width % 8))
    right = np.uint64(63 - 8 * (width % 8))
    row, row_end = 0, width
    for j in range(first // 8, words.size):
        change = words[j] ^ word_before(words, j, whole, left, right)
        while change:
            low = change & (~change + _ONE)
            change ^= low
            i = 8 * j + np.int64((low * _FIRST) >> _TOP)
            while i >= row_end:
                row += 1
                row_end += width
            c = i - row_end + width
            edges[place[c]] = c * height + row
            place[c] += 1
    for i in range(max(8 * words.size, first), flat.size):
        if flat[i] != flat[i - width]:
            c = i % width
            edges[place[c]] = c * height + i // width
            place[c] += 1
    if flat[-1]:
        edges[total] = flat.size
    return edges


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
    """Set the runs of ``text`` in zeroed ``out``; False: the text is not in order."""
    limit = out.size
    start = np.int64(-1)  # of the run whose length comes next
    end = np.int64(0)
    at = 0
    while True:
        while at < text.size and (text[at] == 32 or 9 <= text[at] <= 13):
            at += 1
        if at == text.size:
            return start < 0
        value = np.int64(0)
        while at < text.size and 48 <= text[at] <= 57:
            value = value * 10 + (text[at] - 48)
            at += 1
            if value > limit:
                return False
        if at < text.size and not (text[at] == 32 or 9 <= text[at] <= 13):
            return False
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


word_before = _compile(_word_before)
column_counts = _compile(_column_counts)
put = _compile(_put)
row_edges = _compile(_row_edges)
column_edges = _compile(_column_edges)
write = _compile(_write)
paint = _compile(_paint)
