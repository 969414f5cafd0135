"""Connected parts of a volume that comes slab by slab and is never in memory as a whole.

The slabs are walked twice. First each is labelled by itself, what its parts count is noted, and
parts that touch across the border of two slabs are joined (union-find). Then the same slabs are
labelled again, and each voxel gets the number of the whole part it belongs to. What is kept
grows with the number of parts, and not with the voxels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.components.labelling import labelled

Neighbours = Literal[6, 18, 26]
Order = Literal["size", "raster"]

_BLOCK = 2**18  # voxels whose coordinates are in memory at a time
_SUMS = 10  # columns that add up; the others are largest values
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class ComponentMoments:
    """What a part counts, in whole numbers of voxels and so without rounding."""

    voxels: int

    first: tuple[int, int, int]
    """Lowest index along each axis."""

    last: tuple[int, int, int]
    """Highest index along each axis."""

    sums: tuple[int, int, int]
    """Sum of the indices along each axis."""

    products: tuple[int, int, int, int, int, int]
    """Sums of the products of indices: 00, 01, 02, 11, 12, 22."""


class SlabParts:
    """The connected parts of at least ``minimum`` voxels, numbered from 1."""

    def __init__(
        self, minimum: int = 1, connectivity: Neighbours = 26, order: Order = "size"
    ) -> None:
        """Begin the first walk.

        Args:
            minimum: The smallest part that has a number, in voxels.
            connectivity: 6 (faces), 18 (and edges) or 26 (and corners) neighbours.
            order: Of the numbers: ``size``, the largest first; ``raster``, by the first voxel.
        """
        self._minimum, self._connectivity, self._order = minimum, connectivity, order
        self._parents = [0]  # of each label; label 0 is the background
        self._tables: list[NDArray[np.int64]] = []
        self._above: NDArray[np.int64] | None = None
        self._depth = 0
        self._numbers: NDArray[np.int32] | None = None
        self._base = 0

    def add(self, mask: NDArray[np.bool_]) -> None:
        """Take the next slab, (t, H, W) bool, of the first walk."""
        labels, count = self._labelled(mask)
        base = len(self._parents) - 1
        self._tables.append(_table(labels, count, self._depth))
        self._parents += range(base + 1, base + count + 1)
        below = np.where(labels[0] > 0, labels[0].astype(np.int64) + base, 0)
        if self._above is not None:
            for label_above, label_below in _touching(self._above, below, self._connectivity):
                self._join(int(label_above), int(label_below))
        last = labels[-1].astype(np.int64)
        self._above = np.where(last > 0, last + base, 0)
        self._depth += len(mask)

    def finish(self) -> tuple[ComponentMoments, ...]:
        """Return what each part counts, by number; the first walk is over.

        Of parts of one size the one that is met first has the lower number.
        """
        count = len(self._parents) - 1
        roots = np.array([self._root(label) for label in range(count + 1)])
        whole = np.zeros((count + 1, _SUMS + 6), np.int64)
        whole[:, _SUMS:] = np.iinfo(np.int64).min
        if count:
            table = np.concatenate(self._tables)
            np.add.at(whole[:, :_SUMS], roots[1:], table[:, :_SUMS])
            np.maximum.at(whole[:, _SUMS:], roots[1:], table[:, _SUMS:])
        large = np.flatnonzero(whole[:, 0] >= max(self._minimum, 1))
        order = large  # labels are in raster order, and a root is the lowest of its part
        if self._order == "size":
            order = large[np.argsort(-whole[large, 0], kind="stable")]
        ranks = np.zeros(count + 1, np.int32)
        ranks[order] = np.arange(1, len(order) + 1)
        self._numbers, self._base = ranks[roots], 0
        self._tables.clear()
        return tuple(_moments(row.tolist()) for row in whole[order])

    def numbered(self, slabs: Iterable[NDArray[np.bool_]]) -> Iterator[NDArray[np.int32]]:
        """Yield the number of each voxel's part, (t, H, W), 0 where there is none.

        Args:
            slabs: The slabs of the first walk once more, equal and in the same order.

        Raises:
            ValueError: the first walk is not finished.
        """
        self._check_finished()
        self._base = 0
        for mask in slabs:
            yield self.number(mask)

    def number(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return what ``numbered`` yields of the next slab.

        Raises:
            ValueError: the first walk is not finished.
        """
        all_numbers = self._check_finished()
        labels, count = self._labelled(mask)
        numbers = all_numbers[self._base : self._base + count + 1].copy()
        numbers[0] = 0
        self._base += count
        found: NDArray[np.int32] = numbers[labels]
        return found

    def _check_finished(self) -> NDArray[np.int32]:
        if self._numbers is None:
            raise ValueError("parts have numbers when the first walk is finished")
        return self._numbers

    def _labelled(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
        """Return labels from 1 without gaps of the parts that may count, and how many."""
        all_labels = labelled(mask, self._connectivity)
        kept = np.bincount(all_labels.ravel()) >= self._minimum
        for border in (all_labels[0], all_labels[-1]):  # these may go on in the next slab
            kept[np.unique(border)] = True
        kept[0] = False
        labels = np.zeros(len(kept), np.int32)
        count = int(np.count_nonzero(kept))
        labels[kept] = np.arange(1, count + 1)
        return labels[all_labels], count

    def _root(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def _join(self, first: int, second: int) -> None:
        first, second = sorted((self._root(first), self._root(second)))
        self._parents[second] = first


def _touching(
    above: NDArray[np.int64], below: NDArray[np.int64], connectivity: Neighbours
) -> NDArray[np.int64]:
    """Return the different pairs (n, 2) of labels of two slices that are neighbours."""
    steps = {6: 0, 18: 1, 26: 2}[connectivity]
    rows, columns = above.shape
    pairs = [np.zeros((0, 2), np.int64)]
    for dy, dx in itertools.product((-1, 0, 1), repeat=2):
        if abs(dy) + abs(dx) > steps:
            continue
        here = (slice(max(dy, 0), rows + min(dy, 0)), slice(max(dx, 0), columns + min(dx, 0)))
        there = (slice(max(-dy, 0), rows - max(dy, 0)), slice(max(-dx, 0), columns - max(dx, 0)))
        upper, lower = above[here], below[there]
        both = (upper > 0) & (lower > 0)
        pairs.append(np.unique(np.stack([upper[both], lower[both]], axis=1), axis=0))
    return np.unique(np.concatenate(pairs), axis=0)


def _table(labels: NDArray[np.int32], count: int, start: int) -> NDArray[np.int64]:
    """Return what each label counts, (count, 16): voxels, sums, products, -first and last."""
    table = np.zeros((count + 1, _SUMS + 6), np.int64)
    table[:, _SUMS:] = np.iinfo(np.int64).min
    thick = max(_BLOCK // max(labels[0].size, 1), 1)
    for at in range(0, len(labels), thick):
        block = labels[at : at + thick]
        places = np.stack(np.nonzero(block))  # (3, n)
        which = block[tuple(places)]
        order = np.argsort(which, kind="stable")
        which, places = which[order], places[:, order]
        places[0] += start + at
        heads = np.flatnonzero(np.diff(which, prepend=0))
        if not len(heads):
            continue
        products = [places[i] * places[j] for i, j in _PAIRS]
        sums = np.stack([np.ones_like(places[0]), *places, *products])
        ends = np.concatenate([-places, places])
        rows = which[heads]
        table[rows, :_SUMS] += np.add.reduceat(sums, heads, axis=1).T
        most = np.maximum.reduceat(ends, heads, axis=1).T
        table[rows, _SUMS:] = np.maximum(table[rows, _SUMS:], most)
    return table[1:]


def _moments(row: list[int]) -> ComponentMoments:
    voxels, s0, s1, s2, p00, p01, p02, p11, p12, p22, a0, a1, a2, b0, b1, b2 = row
    return ComponentMoments(
        voxels, (-a0, -a1, -a2), (b0, b1, b2), (s0, s1, s2), (p00, p01, p02, p11, p12, p22)
    )
