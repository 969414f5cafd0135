"""Whether a label lies on its image as it should, or with the axes of one of them exchanged.

Where a label is right, the image can tell it from its surroundings: it is brighter or darker
there, or rougher along some axis. So voxels of a class are paired with others a few voxels away,
and each pair says of a handful of features which of the two has more. The *agreement* is the share
of "more here" that the best weighted sum of features explains, as in a regression of 1 on the
signs: m' M^-1 m, with m the mean and M the second moments of the signs; 0 for no relation, 1 for
an image that tells every pair. Only signs are counted, so that no scale and no outlier matters, and
pairs are near, so that no trend over the volume does.

The same is done with the image's axes exchanged in every way that its shape allows, or run
backwards. The pairs stay
what they are, and so does the number of weights: all orders have the same chance to be fooled.
Boxes taken from all over the volume say how sure the difference between two orders is (jackknife).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.doctor.orientation.axis_names import Order, orders_between
from lamina.geometry.orientation import Turn
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.volume import Transposed, Volume

Floats = NDArray[np.float32]

SIDES = (16, 48)
"""Least and largest side of a box, in voxels; between them a quarter of the axis."""

BOXES = 64
"""Boxes that are compared, of those that hold pairs."""

_TRIED = 600  # boxes that are looked into for pairs
_PAIRS = 2000  # pairs of a box
_CLASSES = 8  # the first so many of a box
_NEAR, _FAR = 3, 8  # how far the other voxel of a pair is, in voxels along its farthest axis
_RIDGE = 1e-3  # keeps a feature that is constant from dividing by zero


@dataclass(frozen=True)
class PairMoments:
    """Signs of the pairs of one class in one box, under every order of the axes."""

    name: int
    pairs: int
    mean: NDArray[np.float64]
    """(orders, features), sums."""
    second: NDArray[np.float64]
    """(orders, features, features), sums."""


Box = tuple[PairMoments, ...]


@dataclass(frozen=True)
class Evidence:
    """What the boxes of a case say of each order of the image's axes; the first is the given."""

    orders: tuple[Order, ...]
    agreement: tuple[float, ...]
    surer: tuple[float, ...]
    """By how many standard deviations each order agrees better than the first."""
    boxes: int

    @property
    def best(self) -> int:
        """The order that agrees best."""
        return int(np.argmax(self.agreement))


def orders_of(shape: Sequence[int]) -> tuple[Order, ...]:
    """Return the ways to transpose an array that keep its shape, the identity first."""
    return orders_between(shape, shape)


def boxes_of(
    case: Case,
    rng: np.random.Generator,
    *,
    most: int = BOXES,
    turns: Sequence[Turn] | None = None,
) -> list[Box]:
    """Read boxes from all over a case and compare its image and target in each.

    Never more than one box and its image under one order are in memory.

    Args:
        case: With a target; its image has two or three axes.
        rng: Which boxes and pairs.
        most: Number of boxes.
        turns: How the image is turned, first not at all; none changes its shape. None: by every
            order of its axes.

    Returns:
        The boxes that hold pairs; none where a label is empty or everywhere.
    """
    shape = case.image.shape
    if turns is None:
        turns = [Turn(order, (False,) * len(shape)) for order in orders_of(shape)]
    found: list[Box] = []
    for region in _regions(case.image.shape, rng):
        pairs = _pairs(case, region, rng)
        if pairs:
            found.append(_compared(case.image, region, turns, pairs))
        if len(found) == most:
            break
    return found


def combine_evidence(orders: Sequence[Order], boxes: Sequence[Box]) -> Evidence | None:
    """Return what boxes say together; None where there are too few (below 4) to say how sure."""
    if len(boxes) < 4:
        return None
    classes = sorted({one.name for box in boxes for one in box})
    sums = _Sums.of(boxes, classes, len(orders))
    whole = sums.agreement(None)
    without = np.stack([sums.agreement(k) for k in range(len(boxes))])
    behind = without - without[:, :1]
    spread = np.sqrt((len(boxes) - 1) * behind.var(axis=0))
    surer = (whole - whole[0]) / np.maximum(spread, 1e-9)
    return Evidence(tuple(orders), tuple(whole.tolist()), tuple(surer.tolist()), len(boxes))


@dataclass(frozen=True)
class _Sums:
    """PairMoments of all boxes as arrays whose first axes are box and class."""

    pairs: NDArray[np.float64]
    mean: NDArray[np.float64]
    second: NDArray[np.float64]

    @classmethod
    def of(cls, boxes: Sequence[Box], classes: Sequence[int], orders: int) -> _Sums:
        features = boxes[0][0].mean.shape[1]
        lead = (len(boxes), len(classes))
        made = cls(
            np.zeros(lead),
            np.zeros((*lead, orders, features)),
            np.zeros((*lead, orders, features, features)),
        )
        for row, box in enumerate(boxes):
            for one in box:
                place = row, classes.index(one.name)
                made.pairs[place], made.mean[place] = one.pairs, one.mean
                made.second[place] = one.second
        return made

    def agreement(self, without: int | None) -> NDArray[np.float64]:
        """Return the agreement of each order, (orders,), leaving out one box."""
        pairs, mean, second = (
            part.sum(0) - (0 if without is None else part[without])
            for part in (self.pairs, self.mean, self.second)
        )
        held = pairs > 0
        pairs, mean, second = pairs[held], mean[held], second[held]
        mean = mean / pairs[:, None, None]
        second = second / pairs[:, None, None, None] + _RIDGE * np.eye(mean.shape[-1])
        weights = np.linalg.solve(second, mean[..., None])[..., 0]
        each = (mean * weights).sum(-1)  # (classes, orders)
        return np.asarray(pairs @ each / max(pairs.sum(), 1))


def _regions(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Region]:
    """Yield boxes of a lattice in random order, at most ``_TRIED``."""
    side = tuple(min(n, max(SIDES[0], min(SIDES[1], n // 4))) for n in shape)
    lattice = TileGrid(shape, side, side)
    counts = tuple(len(starts) for starts in lattice.starts)
    total = int(np.prod(counts))
    for number in rng.choice(total, min(total, _TRIED), replace=False):
        place = np.unravel_index(int(number), counts)
        start = tuple(starts[int(i)] for starts, i in zip(lattice.starts, place, strict=True))
        yield Region(start, tuple(a + n for a, n in zip(start, side, strict=True)))


_Places = tuple[NDArray[np.intp], ...]


def _pairs(
    case: Case, region: Region, rng: np.random.Generator
) -> Mapping[int, tuple[_Places, _Places]]:
    """Return, for each class, places that hold it and places near by that do not."""
    if case.target is None:
        raise ValueError(f"case {case.id}: has no target to compare its image with")
    labels = case.target.read(region)
    counts = np.ones(region.shape, np.bool_)
    if case.valid is not None:
        counts = case.valid.read(region)[0] > 0
    found = {}
    masks = list(_masks(labels))
    for name, mask in masks:
        here, there = _partners(mask, counts, _PAIRS // len(masks), rng)
        if here and len(here[0]):
            found[name] = here, there
    return found


def _masks(labels: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield masks of the classes that are here and not everywhere."""
    if len(labels) > 1:
        held = [(k, mask != 0) for k, mask in enumerate(labels) if mask.any() and not mask.all()]
        yield from held[:_CLASSES]
        return
    values = np.unique(labels[0])
    chosen = values[1:] if len(values) == 2 else values[:_CLASSES]
    yield from ((int(value), labels[0] == value) for value in chosen)


def _partners(
    mask: NDArray[np.bool_], counts: NDArray[np.bool_], wanted: int, rng: np.random.Generator
) -> tuple[_Places, _Places]:
    inside = np.flatnonzero(mask & counts)
    if not inside.size:
        return (), ()
    here = np.stack(np.unravel_index(rng.choice(inside, 6 * wanted), mask.shape), axis=1)
    step = rng.integers(-_FAR, _FAR + 1, here.shape)
    there = here + step
    fits = (np.abs(step).max(1) >= _NEAR) & ((there >= 0) & (there < mask.shape)).all(1)
    here, there = here[fits], there[fits]
    other = tuple(there.T)
    fits = ~mask[other] & counts[other]
    return tuple(here[fits][:wanted].T), tuple(there[fits][:wanted].T)


def _compared(
    image: Volume,
    region: Region,
    turns: Sequence[Turn],
    pairs: Mapping[int, tuple[_Places, _Places]],
) -> Box:
    signs: dict[int, list[Floats]] = {name: [] for name in pairs}
    for turn in turns:
        turned = Transposed(image, turn.order, image.axes, turn.flipped).read(region)
        seen = features(turned.mean(axis=0, dtype=np.float32))
        for name, (here, there) in pairs.items():
            more = [np.sign(one[here] - one[there]) for one in seen]
            signs[name].append(np.stack(more))  # (features, pairs)
    return tuple(
        PairMoments(
            name,
            each[0].shape[1],
            np.stack([one.sum(1, dtype=np.float64) for one in each]),
            np.stack([(one @ one.T).astype(np.float64) for one in each]),
        )
        for name, each in signs.items()
    )


def features(image: Floats) -> Floats:
    """Return brightness, the difference across each axis, and roughness, each (*image.shape).

    All are means over 3 voxels along each axis; beyond the edge the edge is repeated.
    """
    across = [
        np.abs(_moved(image, axis, 2) - _moved(image, axis, -2)) for axis in range(image.ndim)
    ]
    bright = _mean(image)
    rough = np.abs(image - _mean(bright))
    return np.stack([bright, *(_mean(one) for one in across), _mean(rough)])


def _moved(image: Floats, axis: int, by: int) -> Floats:
    places = (np.arange(image.shape[axis]) + by).clip(0, image.shape[axis] - 1)
    return image.take(places, axis)


def _mean(image: Floats) -> Floats:
    for axis in range(image.ndim):
        image = (_moved(image, axis, -1) + image + _moved(image, axis, 1)) * np.float32(1 / 3)
    return image
