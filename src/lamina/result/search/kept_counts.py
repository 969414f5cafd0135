"""Histograms of many cases, kept in a file once they are more than a little memory.

A search over 100,000 maps needs gigabytes of histograms, and looks at one class at a time. What
is mapped from a file is read when it is looked at, and the system takes its memory back.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lamina.result.search.histogram import Counts

LIMIT = 8 << 20
"""Bytes of histograms of one class that are kept in memory."""

_TOGETHER = 1 << 20  # bytes that are written together
_ALIGNED = 8
_AREA, _PREDICTED, _POSITIVES = range(3)
_COLUMNS = {"area": _AREA, "predicted": _PREDICTED, "positives": _POSITIVES}
_ALIKE = 0  # in place of a type: predicted pixels are all pixels
_WIDTHS = {ord(letter): np.dtype(letter).itemsize for letter in np.typecodes["AllInteger"]}
"""Bytes of a value by the letter of its type."""


class KeptCounts(Sequence[Counts]):
    """The histograms of one class, one for each case, in order."""

    def __init__(self, folder: Path | None = None) -> None:
        """Begin with none.

        Args:
            folder: Where a file without a name is made for what exceeds ``LIMIT``; None: all is
                kept in memory.
        """
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._stored = 0  # bytes in the file
        self._written = 0  # cases in the file
        self._waiting: list[bytes] = []
        self._bytes = 0  # that wait
        self._places = array("q")
        """Where each case begins in the file."""
        self._sizes = array("q")
        self._totals = tuple(array("q") for _ in range(3))
        """Truth, pixels and counted pixels of each case."""
        self._types = tuple(array("B") for _ in range(3))
        """Types of the columns of each case, as numpy's letters."""

    @classmethod
    def of(cls, counts: Sequence[Counts]) -> KeptCounts:
        """Return histograms as they are kept; those that are not kept yet are so in memory."""
        if isinstance(counts, KeptCounts):
            return counts
        kept = cls()
        for one in counts:
            kept.append(one)
        return kept

    def append(self, counts: Counts) -> None:
        """Add the histogram of the next case.

        Raises:
            OSError: the disk is full.
        """
        alike = counts.predicted is counts.area
        for kinds, column in zip(
            self._types, (counts.area, counts.predicted, counts.positives), strict=True
        ):
            kinds.append(ord(column.dtype.char))
        if alike:
            self._types[_PREDICTED][-1] = _ALIKE
        for total, value in zip(
            self._totals, (counts.truth, counts.pixels, counts.counted), strict=True
        ):
            total.append(value)
        self._sizes.append(counts.codes.size)
        self._places.append(self._stored + self._bytes)
        columns = [counts.area, counts.positives]
        if not alike:
            columns.insert(1, counts.predicted)
        block = b"".join(_padded(each) for each in (counts.codes.astype(np.uint16), *columns))
        self._waiting.append(block)
        self._bytes += len(block)
        most = LIMIT if self._file is None else min(_TOGETHER, LIMIT)
        if self._folder is not None and self._bytes > most:
            self._write(self._folder)

    def changed(self, change: Callable[[Counts], Counts]) -> KeptCounts:
        """Return what ``change`` makes of the histograms, kept alike."""
        kept = KeptCounts(self._folder)
        for one in self:
            kept.append(change(one))
        return kept

    @property
    def starts(self) -> NDArray[np.int64]:
        """(N + 1,) where the entries of each case begin among those of all."""
        return np.concatenate([[0], np.cumsum(self._sizes, dtype=np.int64)]).astype(np.int64)

    @property
    def truth(self) -> NDArray[np.int64]:
        """(N,) counted pixels of each case that belong to the class."""
        return np.array(self._totals[0], np.int64)

    @property
    def pixels(self) -> NDArray[np.int64]:
        """(N,) all pixels of each case."""
        return np.array(self._totals[1], np.int64)

    @property
    def counted(self) -> NDArray[np.int64]:
        """(N,) pixels of each case that count."""
        return np.array(self._totals[2], np.int64)

    @property
    def all_count(self) -> bool:
        """Whether all pixels of all cases count, so that ``predicted`` is ``area``."""
        return all(kind == _ALIKE for kind in self._types[_PREDICTED])

    def joined(self, name: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Return one of the arrays of all cases, one after another.

        Args:
            name: codes, area, predicted or positives.
            dtype: Of the result; None: the smallest that holds it.
        """
        kind = np.dtype(dtype) if dtype is not None else self._widest(name)
        parts = (self._column(number, name).astype(kind, copy=False) for number in range(len(self)))
        if self._folder is None or sum(self._sizes) * kind.itemsize <= LIMIT:
            return np.concatenate([np.zeros(0, kind), *parts])
        with tempfile.TemporaryFile(dir=self._folder) as stream:
            for part in parts:
                stream.write(part.tobytes())
            stream.flush()
            return np.asarray(np.memmap(stream, kind, "r"))

    def room(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return zeros of that shape, in a file if they are many and these are kept in one."""
        if self._folder is None or prod(shape) * 8 <= LIMIT:
            return np.zeros(shape, np.int64)
        with tempfile.TemporaryFile(dir=self._folder) as stream:
            return np.asarray(np.memmap(stream, np.int64, "w+", shape=shape))

    @overload
    def __getitem__(self, at: int) -> Counts: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Counts]: ...
    def __getitem__(self, at: int | slice) -> Counts | Sequence[Counts]:
        numbers = range(len(self))[at]
        if isinstance(numbers, range):
            return [self._case(number) for number in numbers]
        return self._case(numbers)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Counts]:
        return (self._case(number) for number in range(len(self)))

    def _column(self, number: int, name: str) -> NDArray[Any]:
        """Return one of the arrays of a case."""
        size, (block, place) = self._sizes[number], self._block(number)
        if name == "codes":
            return np.frombuffer(block, np.uint16, size, place)
        place += _whole(size * 2)
        wanted = _COLUMNS[name]
        if self._types[wanted][number] == _ALIKE:
            wanted = _AREA
        for kinds in self._types[:wanted]:
            if kinds[number] != _ALIKE:
                place += _whole(size * _WIDTHS[kinds[number]])
        return np.frombuffer(block, chr(self._types[wanted][number]), size, place)

    def _block(self, number: int) -> tuple[bytes | mmap.mmap, int]:
        """Return what holds the arrays of a case, and where they begin."""
        if number < self._written:
            return self._mapped(), self._places[number]
        return self._waiting[number - self._written], 0

    def _case(self, number: int) -> Counts:
        size, (block, place) = self._sizes[number], self._block(number)
        columns: list[NDArray[Any]] = []
        for kind in (ord("H"), *(kinds[number] for kinds in self._types)):
            if kind == _ALIKE:
                columns.append(columns[1 + _AREA])
                continue
            dtype = np.dtype(chr(kind))
            columns.append(np.frombuffer(block, dtype, size, place))
            place += _whole(size * dtype.itemsize)
        codes, area, predicted, positives = columns
        truth, pixels, counted = (total[number] for total in self._totals)
        return Counts(codes, area, predicted, positives, truth, pixels, counted)

    def _mapped(self) -> mmap.mmap:
        assert self._file is not None
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), self._stored, access=mmap.ACCESS_READ)
        return self._map

    def _write(self, folder: Path) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        self._file.writelines(self._waiting)
        self._file.flush()
        self._stored += self._bytes
        self._written, self._waiting, self._bytes = len(self), [], 0
        self._map = None  # of fewer bytes; what was read from it holds it

    def _widest(self, name: str) -> np.dtype[Any]:
        if name == "codes":
            return np.dtype(np.uint16)
        column = _COLUMNS[name]
        letters = {*self._types[column]}
        if _ALIKE in letters:
            letters = letters - {_ALIKE} | {*self._types[_AREA]}
        return np.result_type(np.uint8, *(np.dtype(chr(letter)) for letter in letters))


def _whole(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _padded(column: NDArray[Any]) -> bytes:
    return column.tobytes().ljust(_whole(column.nbytes), b"\0")
