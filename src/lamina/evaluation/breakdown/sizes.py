"""How many objects are found, by class and size.

An object is a connected part of the mask of one class, whose pixels touch at least at corners. It
is found where any of its pixels is predicted, and a predicted object is right where any of its
pixels is true; recall says how much of the objects is covered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.components.labelling import label_parts
from lamina.public import VerbResult
from lamina.task import Task

Masks = NDArray[np.bool_]
Part = tuple[NDArray[Any], NDArray[Any], NDArray[Any], Masks | None]
"""Answer, decided masks (K, *S), truth (K, *S) and valid (*S) or None."""

_TRUE, _FOUND, _PIXELS, _COVERED, _PREDICTED, _RIGHT = range(6)


@dataclass(frozen=True)
class SizeScore(VerbResult):
    """The objects of one class from ``least`` to ``most`` pixels."""

    name: str
    """Name of the class."""
    least: int
    """Pixels of the smallest objects counted: 1, 10, 100, ..."""
    most: int
    """Pixels of the largest objects counted: 9, 99, 999, ..."""
    objects: int
    """Number of true objects."""
    found: int
    """Number of these of which any pixel is predicted."""
    recall: float | None
    """Share of their pixels that are predicted; None: there is no object."""
    predicted: int
    """Number of predicted objects of this size."""
    right: int
    """Number of these of which any pixel is true."""


class SizeTallies:
    """Counts of objects, gathered case by case; never the masks."""

    def __init__(self, task: Task) -> None:
        """Begin with nothing; ``task`` names the classes, and whether the first is background."""
        self._names, self._first = task.names or (), int(task.exclusive)
        self._counts: defaultdict[tuple[int, int], NDArray[np.int64]] = defaultdict(_no_objects)

    def add(self, masks: Masks, target: Masks, valid: Masks | None) -> None:
        """Count the objects of a whole case.

        Args:
            masks: (K, *S) bool, what is predicted.
            target: (K, *S) bool, the truth.
            valid: (*S) True where a pixel counts; others are in neither mask. None: all count.
        """
        for k in range(self._first, len(masks)):
            mine, true = masks[k], target[k].astype(bool, copy=False)
            if valid is not None:
                mine, true = mine & valid, true & valid
            self._count(k, true, mine, (_TRUE, _FOUND))
            self._count(k, mine, true, (_PREDICTED, _RIGHT))

    def passing(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Count the cases of ``parts``, each a whole one, and yield them as they are."""
        for part in parts:
            self.add(*part[1:])
            yield part

    def take(self, other: SizeTallies) -> None:
        """Add the objects of another."""
        for key, row in other._counts.items():
            self._counts[key] += row

    def summary(self) -> tuple[SizeScore, ...]:
        """Return a row for each class and power of ten in which there are objects, in order."""
        rows = []
        for (k, power), row in sorted(self._counts.items()):
            counts = [int(number) for number in row]
            pixels = counts[_PIXELS]
            rows.append(
                SizeScore(
                    name=self._names[k],
                    least=10**power,
                    most=10 ** (power + 1) - 1,
                    objects=counts[_TRUE],
                    found=counts[_FOUND],
                    recall=counts[_COVERED] / pixels if pixels else None,
                    predicted=counts[_PREDICTED],
                    right=counts[_RIGHT],
                )
            )
        return tuple(rows)

    def _count(self, k: int, mask: Masks, other: Masks, columns: tuple[int, int]) -> None:
        """Count the objects of ``mask``, and those that hold a pixel of ``other``."""
        if not mask.any():
            return
        labels, sizes = label_parts(mask)
        covered = np.bincount(labels[mask & other], minlength=sizes.size)
        powers = np.array([len(str(size)) - 1 for size in sizes.tolist()])
        powers[0] = -1  # the background
        for power in np.unique(powers[1:]).tolist():
            those = powers == power
            row = self._counts[k, power]
            row[columns[0]] += np.count_nonzero(those)
            row[columns[1]] += np.count_nonzero(covered[those])
            if columns[0] == _TRUE:
                row[_PIXELS] += int(sizes[those].sum())
                row[_COVERED] += int(covered[those].sum())


def _no_objects() -> NDArray[np.int64]:
    return np.zeros(6, np.int64)
