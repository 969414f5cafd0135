"""Where the classes of a target lie: some of the places of each, found in one pass.

A sampler lays a crop around a place of a class without reading the target again, which of a volume
may be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.views.chunks import pieces
from lamina.volume import Volume

MOST = 10_000
"""Places that are kept of each class."""

_COUNTED = 1 << 20  # values that are counted, which takes eight bytes for each

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassPlaces:
    """Up to ``MOST`` places of each class that a target shows."""

    shape: tuple[int, ...]
    """Of the target."""

    flat: Mapping[int, Places]
    """Rising places of each class, counted in C order, by ascending class; all where there are no
    more, else a part of them in which each is as likely."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes shown: numbers of channels, or the values of a single one."""
        return tuple(self.flat)

    def draw(self, rng: np.random.Generator, of: int | None = None) -> tuple[int, ...] | None:
        """Return a place along each axis; None where there is none.

        Args:
            rng: Of the epoch.
            of: Its class; None: any of those shown, each equally likely.
        """
        classes = [k for k in self.flat if of in (None, k)]
        if not classes:
            return None
        places = self.flat[classes[int(rng.integers(len(classes)))]]
        return self._place(int(places[int(rng.integers(len(places)))]), self.shape)

    def resized(self, shape: Sequence[int]) -> ClassPlaces:
        """Return the places in the target at another size: the pixels that their centres are in."""
        flat = {}
        for k, places in self.flat.items():
            axes = np.unravel_index(places, self.shape)
            moved = [
                (2 * axis + 1) * new // (2 * old)
                for axis, old, new in zip(axes, self.shape, shape, strict=True)
            ]
            flat[k] = np.ravel_multi_index(moved, tuple(shape))
        return ClassPlaces(tuple(shape), flat)

    @staticmethod
    def _place(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(flat, shape)))


def find_places(target: Volume, *, soft: bool = False, piece: int | None = None) -> ClassPlaces:
    """Return where the classes of ``target`` lie; it is read once, piece by piece.

    Which of more than ``MOST`` places are kept follows from the places alone, not from the pieces.

    Args:
        target: A channel for each class, or one with the numbers of classes.
        soft: Values are probabilities: 0.5 and more is set.
        piece: Values that are read at once; None: as many as usual.
    """
    kept: dict[int, Places] = {}
    for region in pieces(target, piece):
        values = target.read(region)
        for k, mask in masks_of(values >= 0.5 if soft else values):
            axes = np.nonzero(mask)
            moved = [axis + start for axis, start in zip(axes, region.start, strict=True)]
            found = np.ravel_multi_index(moved, target.shape)
            kept[k] = _least(np.concatenate([kept[k], found]) if k in kept else found)
    return ClassPlaces(tuple(target.shape), {k: np.sort(kept[k]) for k in sorted(kept)})


def masks_of(target: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield each class that a target (K, *S) shows with its mask (*S), ascending."""
    if len(target) > 1:
        yield from ((k, plane != 0) for k, plane in enumerate(target) if plane.any())
    elif target.dtype.kind in "iu":  # class ids, or 0 and 1
        yield from ((value, target[0] == value) for value in _values_in(target) if value)
    elif target.any():  # truth values, or values to restore: no classes to tell apart
        yield 0, target[0] != 0


def _values_in(target: NDArray[Any]) -> list[int]:
    """Return the different values of whole numbers, ascending."""
    if target.dtype == np.uint8 and target.size <= _COUNTED:  # ten times as fast as unique
        return [int(value) for value in np.flatnonzero(np.bincount(target.reshape(-1)))]
    return [int(value) for value in np.unique(target)]


def _least(places: Places) -> Places:
    """Return the ``MOST`` places with the least hash, which is a random choice without memory."""
    if len(places) <= MOST:
        return places
    with np.errstate(over="ignore"):
        mixed = places.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    chosen: Places = places[np.argpartition(mixed, MOST)[:MOST]]
    return chosen
