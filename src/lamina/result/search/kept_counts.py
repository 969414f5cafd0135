"""Histograms of many cases, kept in a file once they are more than a little memory.

A search over 100,000 maps needs gigabytes of histograms, and looks at one class at a time. What
is mapped from a file is read when it is looked at, and the system takes its memory back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import Counts

LIMIT = 32 << 20
"""Bytes of histograms of one class that are kept in memory."""

_ALIGNED = 8
_PART = 32  # files become larger as they become many: the system allows a process about 1,000


class KeptCounts(Sequence[Counts]):
    """The histograms of one class, one for each case, in order."""

    def __init__(self, folder: Path | None = None) -> None:
        """Begin with none.

        Args:
            folder: Where a file without a name is made for what exceeds ``LIMIT``; None: all is
                kept in memory.
        """
        self._folder = folder
        self._cases: list[Counts] = []
        self._waiting = 0  # bytes that are in memory
        self._written = 0  # cases that are in files
        self._stored = 0  # bytes of these

    def append(self, counts: Counts) -> None:
        """Add the histogram of the next case.

        Raises:
            OSError: the disk is full.
        """
        self._cases.append(counts)
        self._waiting += sum(array.nbytes for array in _arrays(counts))
        if self._folder is not None and self._waiting > max(LIMIT, self._stored // _PART):
            self._cases[self._written :] = _mapped(self._cases[self._written :], self._folder)
            self._stored += self._waiting
            self._written, self._waiting = len(self._cases), 0

    def changed(self, change: Callable[[Counts], Counts]) -> KeptCounts:
        """Return what ``change`` makes of the histograms, kept alike."""
        kept = KeptCounts(self._folder)
        for one in self._cases:
            kept.append(change(one))
        return kept

    def joined(self, name: str, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
        """Return one of the arrays of all cases, one after another.

        Args:
            name: codes, area, predicted or positives.
            dtype: Of the result.
        """
        parts = (getattr(one, name).astype(dtype, copy=False) for one in self._cases)
        size = sum(one.codes.size for one in self._cases)
        if self._folder is None or size * np.dtype(dtype).itemsize <= LIMIT:
            return np.concatenate([np.zeros(0, dtype), *parts])
        with tempfile.TemporaryFile(dir=self._folder) as stream:
            for part in parts:
                stream.write(part.tobytes())
            stream.flush()
            return np.asarray(np.memmap(stream, dtype, "r"))

    @overload
    def __getitem__(self, at: int) -> Counts: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Counts]: ...
    def __getitem__(self, at: int | slice) -> Counts | Sequence[Counts]:
        return self._cases[at]

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Counts]:
        return iter(self._cases)


def _arrays(counts: Counts) -> list[NDArray[Any]]:
    """Return the arrays of a histogram, those that are one and the same once."""
    found = [counts.codes, counts.area, counts.positives]
    return found if counts.predicted is counts.area else [*found, counts.predicted]


def _mapped(cases: Sequence[Counts], folder: Path) -> list[Counts]:
    """Return histograms whose arrays lie in one file, mapped to be read."""
    places: list[int] = []
    with tempfile.TemporaryFile(dir=folder) as stream:
        for one in cases:
            for array in _arrays(one):
                places.append(stream.tell())
                stream.write(array.tobytes())
                stream.write(b"\0" * (-stream.tell() % _ALIGNED))
        stream.flush()
        whole = np.memmap(stream, np.uint8, "r") if stream.tell() else np.zeros(0, np.uint8)
    place = iter(places)

    def kept(array: NDArray[Any]) -> NDArray[Any]:
        start = next(place)
        return np.asarray(whole)[start : start + array.nbytes].view(array.dtype)

    found = []
    for one in cases:
        codes, area, positives = kept(one.codes), kept(one.area), kept(one.positives)
        predicted = area if one.predicted is one.area else kept(one.predicted)
        found.append(replace(one, codes=codes, area=area, predicted=predicted, positives=positives))
    return found
