"""Type and range of the images that a network learnt from, and whether another image is alike.

A network that learnt from 8 bits answers nonsense, and without a word, for the same picture in 16
bits or in 0 to 1. Where images are normalised by their own numbers the scale does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from lamina.data.image_types.retyped import Cast, Retyped, Scale, fits, scale_of
from lamina.data.views.corrupted import Corrupted
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.spec import ADDED_LATER, Spec
from lamina.volume import Volume

_IMAGES = 64  # that are looked at, of all
_VALUES = 1 << 22  # of each image
_SLABS = 8  # that these are read in
_ABOVE = 16  # times the greatest value learnt from: another range
_BELOW = 64  # part of it: another range


class ImageKind(Spec):
    """What the images of a training were like."""

    types: tuple[str, ...]
    """Types of their numbers, such as uint8, in order."""

    low: float
    """Least value found in up to 64 of them, spread evenly."""

    high: float
    """Greatest value found there."""

    scale: Scale | None = None
    """How levels of 8 bits are stored, where all of these hold nothing else."""

    axes: Annotated[str | None, ADDED_LATER] = None
    """Axes of volumes in the order in which the network saw them; null: of images, or not known."""

    @property
    def words(self) -> str:
        """Type and range as messages say it."""
        return f"{' and '.join(self.types)} of {self.low:g} to {self.high:g}"


def kind_of(images: Sequence[Volume]) -> ImageKind | None:
    """Return the kind of images; None where none can be read.

    Types are those of all headers, values those of up to 64 images, 4 Mi of each.
    """
    clean = [_clean(image) for image in images]
    some = clean[:: max(1, -(-len(clean) // _IMAGES))]
    lows, highs, scales = [], [], set[Scale | None]()
    for image in some:
        try:
            values = _sampled(image)
        except DataError:
            continue  # told where it is used
        if values.size:
            lows.append(float(values.min()))
            highs.append(float(values.max()))
            scales |= {scale_of(values)} if values.any() else set()
    if not lows:
        return None
    return ImageKind(
        types=tuple(sorted({str(image.dtype) for image in clean})),
        low=min(lows),
        high=max(highs),
        scale=scales.pop() if len(scales) == 1 else None,
        axes=_order(images),
    )


def _order(images: Sequence[Volume]) -> str | None:
    """Return the order of the axes of volumes, where all have the same."""
    orders = {image.axes for image in images if len(image.axes) == 3}
    order = orders.pop() if len(orders) == 1 else ""
    return order if sorted(order) == list("xyz") else None


def as_learnt(image: Volume, kind: ImageKind, *, planes: bool = True) -> tuple[Volume, str | None]:
    """Return an image as a network expects it, and what must be known of it in words, or None.

    Args:
        image: As the catalog opened it.
        kind: Of the images that the network learnt from.
        planes: Whether the network sees images or slices, which another order of axes turns; blocks
            have their axes put in one order.

    Raises:
        DataError: it is of another type or range, and no exact conversion is known.
    """
    found, said = _as_typed(image, kind)
    turned = _turned(image, kind) if planes else None
    return found, "; ".join(filter(None, (said, turned))) or None


def _turned(image: Volume, kind: ImageKind) -> str | None:
    """Return that the planes of a volume are turned against those learnt from."""
    if kind.axes in (None, image.axes) or sorted(image.axes) != list("xyz"):
        return None
    return (
        f"its axes are {image.axes}, and the network learnt from {kind.axes}: planes are turned; "
        "for the same planes store it in that order"
    )


def _as_typed(image: Volume, kind: ImageKind) -> tuple[Volume, str | None]:
    source = _clean(image)
    values = _sampled(source)
    if not values.size or not values.any():
        return image, None  # nothing but 0 is 0 in every type
    found, dtype = scale_of(values), str(source.dtype)
    alike = dtype in kind.types
    if kind.scale and found and (found != kind.scale or not alike):
        as_type = kind.types[0]
        said = f"{_held(values)} read as {as_type} {_IN_WORDS[kind.scale]}"
        return _over(image, source, Retyped(source, found, kind.scale, as_type)), said
    if not (alike and source.dtype.itemsize == 1) and _beyond(values, kind):
        raise _other(image, values, kind)
    if alike:
        return image, None
    exact = next((type_ for type_ in kind.types if fits(values, np.dtype(type_))), None)
    if exact is None:
        raise _other(image, values, kind)
    return _over(image, source, Cast(source, exact)), f"{_held(values)} read as {exact}"


_IN_WORDS: dict[Scale, str] = {
    "whole": "of 0 to 255",
    "times_257": "of 0 to 65535, which are levels of 8 bits times 257",
    "over_255": "of 0 to 1",
}


def _over(image: Volume, source: Volume, view: Volume) -> Volume:
    """Return an image with the view in place of its source."""
    return image.over(view) if isinstance(image, Corrupted) and source is image.source else view


def _clean(image: Volume) -> Volume:
    """Return an image without the noise that is declared on it."""
    return image.source if isinstance(image, Corrupted) else image


def _beyond(values: NDArray[np.generic], kind: ImageKind) -> bool:
    learnt = max(abs(kind.low), abs(kind.high))
    most = float(np.abs(values.astype(np.float64)).max())
    constant = values.min() == values.max()
    return most > _ABOVE * learnt or (most < learnt / _BELOW and not constant)


def _other(image: Volume, values: NDArray[np.generic], kind: ImageKind) -> DataError:
    return DataError(
        f"{image.name}: holds {_held(values)}, and the members learnt from {kind.words}; save it "
        "as the training images are, in their type and range, or train on images such as this"
    )


def _held(values: NDArray[np.generic]) -> str:
    return f"{values.dtype} of {float(values.min()):g} to {float(values.max()):g}"


def _sampled(image: Volume) -> NDArray[np.generic]:
    """Return values of an image, (n,): all, or those of slabs spread along its first axis."""
    parts = [image.read(region).ravel() for region in _slabs(image)]
    values = np.concatenate(parts)
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _slabs(image: Volume) -> Iterator[Region]:
    whole = Region.whole(image.shape)
    each = prod(image.shape[1:]) * image.channels
    thick = max(1, _VALUES // max(each, 1))
    if thick >= image.shape[0]:
        yield whole
        return
    count = min(_SLABS, image.shape[0])
    slab = max(1, thick // count)
    for start in np.linspace(0, image.shape[0] - slab, count).astype(int):
        stop = int(start) + slab
        yield Region((int(start), *whole.start[1:]), (stop, *whole.stop[1:]))
