"""Objects of an image or a volume that comes slab by slab and is never in memory as a whole.

The slabs are walked twice: parts are joined across the borders of slabs, then each is measured. Of
an image the corners of an outline are kept until its last row has passed. What is kept grows with
the number of objects and the length of the outlines that a slab cuts, not with the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.components.slabs import ComponentMoments, SlabParts
from lamina.geometry.polygons import NO_CORNERS, Polygon, corners_of, polygons_of
from lamina.result.objects import Object

Slabs = Callable[[], Iterable[tuple[NDArray[Any], NDArray[Any]]]]
"""Returns probabilities and masks (K, t, ...) of slabs, in order along their first axis."""

_BLOCK = 2**22  # pixels whose scores are added together


def walk_objects(
    slabs: Slabs, names: Sequence[str], shape: tuple[int, ...]
) -> Iterator[tuple[int, Object]]:
    """Yield objects with the index of their class, each when its last row has passed.

    They are those of ``find_objects``, with the same numbers: connected pixels, corners included,
    in raster order; of volumes without outlines, and not before the end.

    Args:
        slabs: Called twice.
        names: Of the K classes.
        shape: Of the image or volume, which all slabs make together.
    """
    classes = [_Class(name, shape) for name in names]
    for _, masks in slabs():
        for class_, mask in zip(classes, masks, strict=True):
            class_.join(np.asarray(mask))
    for class_ in classes:
        class_.begin()
    for prob, masks in slabs():
        for k, (class_, mask) in enumerate(zip(classes, masks, strict=True)):
            for item in class_.measure(np.asarray(mask), np.asarray(prob[k])):
                yield k, item
    for k, class_ in enumerate(classes):
        for item in class_.rest():
            yield k, item


class Scores:
    """Sums and greatest values of the probabilities of numbered parts."""

    def __init__(self, count: int) -> None:
        """``count``: the highest number."""
        self.sums = np.zeros(count + 1)
        self.most = np.zeros(count + 1)

    def add(self, numbers: NDArray[np.int32], prob: NDArray[Any]) -> None:
        """Add the probabilities of pixels with their numbers; 0 stands for no part."""
        own_of_all, scores_of_all = numbers.ravel(), prob.reshape(-1)
        for start in range(0, len(own_of_all), _BLOCK):
            own = own_of_all[start : start + _BLOCK]
            at = np.flatnonzero(own)
            own, scores = own[at], scores_of_all[start : start + _BLOCK][at].astype(np.float64)
            self.sums += np.bincount(own, scores, len(self.sums))
            np.maximum.at(self.most, own, scores)

    def of(self, number: int) -> tuple[float, float]:
        """Return sum and greatest value of a part."""
        return float(self.sums[number]), float(self.most[number])


class _Class:
    """The objects of one class."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self._name, self._shape, self._flat = name, shape, len(shape) == 2
        self._parts = SlabParts(order="raster")
        self._areas = SlabParts(connectivity=6, order="raster")  # of pixels that share an edge

    def join(self, mask: NDArray[np.bool_]) -> None:
        """Take the next slab of the first walk."""
        self._parts.add(self._deep(mask))
        if self._flat:
            self._areas.add(self._deep(mask))

    def begin(self) -> None:
        """End the first walk."""
        self._moments = self._parts.finish()
        self._scores = Scores(len(self._moments))
        self._given = 0  # objects of volumes come last, in order
        if self._flat:
            self._object_of = np.zeros(len(self._areas.finish()) + 1, np.int32)
            self._above: NDArray[np.int32] = np.zeros((1, self._shape[1]), np.int32)
            self._corners, self._rows = NO_CORNERS, 0
            ends = [moments.last[0] for moments in self._moments]
            self._ends = np.array([-1, *ends])  # by number: the last row

    def measure(self, mask: NDArray[np.bool_], prob: NDArray[Any]) -> Iterator[Object]:
        """Take the next slab of the second walk; yield the objects that are complete."""
        numbers = self._parts.number(self._deep(mask)).reshape(mask.shape)
        self._scores.add(numbers, prob)
        if self._flat:
            areas = self._areas.number(self._deep(mask)).reshape(mask.shape)
            inside = areas > 0
            self._object_of[areas[inside]] = numbers[inside]
            yield from self._outlined(areas)

    def rest(self) -> Iterator[Object]:
        """Yield what is not complete before the last row has passed."""
        if self._flat:
            yield from self._outlined(np.zeros_like(self._above))
            return
        for number in range(1, len(self._moments) + 1):
            yield self._object(number, ())

    def _outlined(self, areas: NDArray[np.int32]) -> Iterator[Object]:
        """Yield the objects whose last row lies above the last of these rows."""
        rows = np.concatenate([self._above, areas])
        self._corners = np.concatenate([self._corners, corners_of(rows, self._rows)], axis=1)
        self._above, self._rows = rows[-1:], self._rows + len(areas)
        owners = self._object_of[self._corners[0]]
        complete = self._ends[owners] < self._rows - 1
        outlines: dict[int, list[Polygon]] = {}
        for area, polygon in polygons_of(self._corners[:, complete]).items():
            outlines.setdefault(int(self._object_of[area]), []).append(polygon)
        self._corners = self._corners[:, ~complete]
        for number, found in sorted(outlines.items()):
            yield self._object(number, tuple(found))

    def _object(self, number: int, polygon: tuple[Polygon, ...]) -> Object:
        moments = self._moments[number - 1]
        low, high, centre = measures(moments, flat=self._flat)
        total, most = self._scores.of(number)
        return Object(
            class_name=self._name,
            number=number,
            area=moments.voxels,
            box=(*low, *high),
            centre=centre,
            score_mean=total / moments.voxels,
            score_max=most,
            touches_border=touches_border(low, high, self._shape),
            polygon=polygon,
        )

    def _deep(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return mask[:, None] if self._flat else mask


def measures(
    moments: ComponentMoments, *, flat: bool
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]:
    """Return first places, those behind the last and the centre of a part along each axis.

    ``flat``: it is of an image, whose columns are the third axis and whose second has length 1.
    """
    kept = (0, 2) if flat else (0, 1, 2)
    low = tuple(moments.first[axis] for axis in kept)
    high = tuple(moments.last[axis] + 1 for axis in kept)
    return low, high, tuple(moments.sums[axis] / moments.voxels for axis in kept)


def touches_border(low: Sequence[int], high: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a box, whose ends lie behind its last places, reaches the border of ``shape``."""
    return 0 in low or any(b == n for b, n in zip(high, shape, strict=True))
