"""From stored values to what a network likes: x becomes (x - shift) * factor, per channel."""

from __future__ import annotations

import math
import weakref
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.case import Case
from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.spec import Spec
from lamina.volume import Plane, Volume, chunk_shape_of

Vector = NDArray[np.float32]

_PIECE = 2**23  # pixels read at a time
_LARGEST = float(np.finfo(np.float32).max)


class Normalise(Spec):
    """Where shift and factor come from."""

    @abstractmethod
    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return the normalisation with all that is learnt from the training cases filled in."""

    @abstractmethod
    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Return shift and factor for ``volume``, each (1,) or (C,) float32.

        A factor of 0 stands for a channel without any spread, which becomes 0 everywhere (I10).
        """


class Fixed(Normalise):
    """(x / scale - mean) / std with given numbers, such as those a pretrained network expects."""

    kind: Literal["fixed"] = "fixed"

    mean: float | tuple[float, ...] = 0.0
    """One number, or one per channel."""

    std: float | tuple[float, ...] = 1.0
    """One number, or one per channel; 0 turns its channel into 0."""

    scale: float = Field(default=255.0, gt=0)
    """What stored values are divided by first: 255 for 8 bit, 65535 for 16 bit, 1 for floats."""

    @model_validator(mode="after")
    def _numbers_belong_together(self) -> Fixed:
        sizes = {len(value) for value in (self.mean, self.std) if isinstance(value, tuple)}
        if len(sizes) > 1 or 0 in sizes:
            raise ValueError(f"mean {self.mean} and std {self.std} are of different lengths")
        if np.min(self.std) < 0:
            raise ValueError(f"std is {self.std}; it cannot be negative")
        return self

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return itself; nothing is learnt."""
        return self

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Return scale * mean and 1 / (scale * std)."""
        return self._factors

    @cached_property
    def _factors(self) -> tuple[Vector, Vector]:
        mean, std = np.broadcast_arrays(np.atleast_1d(self.mean), np.atleast_1d(self.std))
        return (mean * self.scale).astype(np.float32), _inverse(std * self.scale)


class DatasetStats(Normalise):
    """Mean and standard deviation per channel over all pixels of the training cases.

    They are measured once, before training, and kept as ``Fixed``.
    """

    kind: Literal["dataset"] = "dataset"

    pooled: bool = False
    """One mean and one deviation for all channels together, such as the layers of a stack."""

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return the ``Fixed`` of the cases; channels that are all alike give one number.

        Reads every image once, piece by piece. Of planes with neighbours as channels only the
        plane itself is measured. A colour file that is really grey among grey ones counts as
        grey, and a grey one among colour files as three channels alike, as both are read.

        Raises:
            DataError: an image holds NaN or infinity, or cases differ in their channels otherwise.
        """
        total: ChannelMoments | None = None
        for case in cases:
            moments = moments_of(case.image)
            if total is not None and len(total.mean) != len(moments.mean):
                total, moments = total.alike(moments)
            if total is not None and len(total.mean) != len(moments.mean):
                raise DataError(
                    f"case {case.id}: has {len(moments.mean)} channels, the cases before it "
                    f"{len(total.mean)}; convert them to one kind, or give the numbers yourself "
                    "with frame.normalise.kind=fixed"
                )
            total = moments if total is None else total.join(moments)
        if total is None:
            raise DataError("no training case to measure mean and standard deviation on")
        if self.pooled:
            total = total.pooled()
        mean, std = total.mean.tolist(), total.std.tolist()
        if len(set(mean)) == len(set(std)) == 1:
            return Fixed(mean=mean[0], std=std[0], scale=1.0)
        return Fixed(mean=tuple(mean), std=tuple(std), scale=1.0)

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Refuse: there are no numbers before ``fit``."""
        raise ValueError("DatasetStats has no numbers yet; call fit() and use what it returns")


class PerCase(Normalise):
    """Each image, and each slice of a volume, by its own numbers, all channels alike."""

    kind: Literal["case"] = "case"

    how: Literal["minmax", "standard", "percentile"] = "standard"
    """minmax: 0 to 1; standard: mean 0, deviation 1; percentile: low to high becomes 0 to 1."""

    low: float = Field(default=1.0, ge=0, lt=100)
    """Percentile that becomes 0; values below it become negative."""

    high: float = Field(default=99.0, gt=0, le=100)
    """Percentile that becomes 1; values above it become greater."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> PerCase:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, not below high, {self.high}")
        return self

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return itself; every image brings its own numbers."""
        return self

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Return shift and factor, each (1,); the image is read once as long as it is in use.

        Raises:
            DataError: the image holds NaN or infinity.
        """
        key = (id(volume), self)
        if key not in _MEASURED:
            _MEASURED[key] = self._measure(volume)
            weakref.finalize(volume, _MEASURED.pop, key, None)
        return _MEASURED[key]

    def _measure(self, volume: Volume) -> tuple[Vector, Vector]:
        shift: float
        if self.how == "standard":
            moments = moments_of(volume).pooled()
            shift, spread = float(moments.mean[0]), float(moments.std[0])
        elif self.how == "minmax":
            ends = [(piece.min(), piece.max()) for piece in _pieces(volume)]
            shift = float(min(low for low, _ in ends))
            spread = float(max(high for _, high in ends)) - shift
        else:
            values = np.concatenate([piece.ravel() for piece in _pieces(volume)])
            shift, high = (float(x) for x in np.percentile(values, [self.low, self.high]))
            spread = high - shift
        return np.array([shift], np.float32), _inverse(np.array([spread]))


AnyNormalise = Annotated[Fixed | DatasetStats | PerCase, Field(discriminator="kind")]

# What PerCase found, for as long as the volume lives: a crop costs a read of its pixels, not of
# the whole image.
_MEASURED: dict[tuple[int, PerCase], tuple[Vector, Vector]] = {}


@dataclass(frozen=True)
class ChannelMoments:
    """Count, mean and sum of squared deviations per channel, which add up over pieces.

    The formula is that of Chan, Golub and LeVeque 1979.
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation per channel."""
        return np.asarray(np.sqrt(self.squares / self.count))

    def join(self, other: ChannelMoments) -> ChannelMoments:
        """Return the moments of both sets of pixels together."""
        count = self.count + other.count
        if len(self.mean) == len(other.mean) == 1:  # the same in floats, which cost less
            first = float(self.mean[0])
            apart_by = float(other.mean[0]) - first
            more = apart_by * apart_by * (self.count * other.count / count)
            mean = first + apart_by * (other.count / count)
            squares = float(self.squares[0]) + float(other.squares[0]) + more
            return ChannelMoments(count, np.array([mean]), np.array([squares]))
        apart = other.mean - self.mean
        return ChannelMoments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
        )

    @property
    def grey(self) -> bool:
        """Whether channels do not differ."""
        return bool((self.mean == self.mean[0]).all() and (self.squares == self.squares[0]).all())

    def alike(self, other: ChannelMoments) -> tuple[ChannelMoments, ChannelMoments]:
        """Return both with as many channels, where one has one or holds grey in several.

        Grey in several channels becomes one; one channel beside colours becomes as many.
        """
        one, two = (_times(each, 1) if each.grey else each for each in (self, other))
        most = max(len(one.mean), len(two.mean))
        if len(one.mean) == 1:
            return _times(one, most), two
        return one, _times(two, most) if len(two.mean) == 1 else two

    def pooled(self) -> ChannelMoments:
        """Return the moments of all channels together, as one channel."""
        channels = [
            ChannelMoments(self.count, self.mean[i : i + 1], self.squares[i : i + 1])
            for i in range(len(self.mean))
        ]
        total = channels[0]
        for channel in channels[1:]:
            total = total.join(channel)
        return total


def is_grey(volume: Volume) -> bool:
    """Whether channels have the same moments, as those of a grey image have; it is read once."""
    return volume.channels == 1 or moments_of(volume).grey


def _times(moments: ChannelMoments, count: int) -> ChannelMoments:
    """Return the first channel's moments as those of ``count`` channels."""
    return ChannelMoments(
        moments.count, np.repeat(moments.mean[:1], count), np.repeat(moments.squares[:1], count)
    )


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raise DataError where floats hold NaN or infinity (I09); ``name`` says whose they are."""
    if values.dtype.kind != "f":
        return
    _check_range(values, name)
    with np.errstate(over="ignore", invalid="ignore"):
        # Finite only if every value is, and cheaper than to ask each.
        total = np.einsum(values, list(range(values.ndim)), [])
    if np.isfinite(total) or np.isfinite(values).all():
        return
    nan, bad = int(np.isnan(values).sum()), int((~np.isfinite(values)).sum())
    raise DataError(
        f"{name}: {bad} of {values.size} values read are not numbers ({nan} NaN, {bad - nan} "
        "infinite); replace them, or leave the case out"
    )


def _check_range(values: NDArray[Any], name: str) -> None:
    """Raise DataError where finite values are beyond float32, in which networks compute."""
    if values.dtype.itemsize <= 4 or not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if np.isfinite([low, high]).all() and max(high, -low) > _LARGEST:
        raise DataError(
            f"{name}: holds values from {low:.3g} to {high:.3g}, beyond {_LARGEST:.3g}, the "
            "largest of float32; rescale them, or leave the case out"
        )


def _inverse(spread: NDArray[Any]) -> Vector:
    spread = np.asarray(spread, np.float64)
    inverse = np.zeros_like(spread)
    np.divide(1, spread, out=inverse, where=spread > 0)
    return inverse.astype(np.float32)


def _pieces(volume: Volume) -> Iterator[NDArray[Any]]:
    """Yield all pixels of ``volume`` once, (C, *piece), without a plane's neighbours."""
    if isinstance(volume, Plane):
        volume = replace(volume, context=0)
    packed = max(chunk_shape_of(volume)) > 1
    cut = _cut(Region.whole(volume.shape), _PIECE // volume.channels)
    for region in pieces(volume, _PIECE) if packed else cut:
        piece = volume.read(region)
        check_finite(piece, volume.name)
        yield piece


def _cut(region: Region, limit: int) -> Iterator[Region]:
    """Halve ``region`` along its first axis longer than 1 until at most ``limit`` pixels remain."""
    shape = region.shape
    if math.prod(shape) <= limit or max(shape) == 1:
        yield region
        return
    axis = next(i for i, side in enumerate(shape) if side > 1)
    middle = (region.start[axis] + region.stop[axis]) // 2
    for a, b in ((region.start[axis], middle), (middle, region.stop[axis])):
        yield from _cut(
            Region(
                (*region.start[:axis], a, *region.start[axis + 1 :]),
                (*region.stop[:axis], b, *region.stop[axis + 1 :]),
            ),
            limit,
        )


def moments_of(volume: Volume) -> ChannelMoments:
    """Return the moments of all pixels of a volume, those measured before where they are known.

    Raises:
        DataError: it holds NaN or infinity, or no pixels.
    """
    known = getattr(volume, "moments", None)
    if known is not None:
        return ChannelMoments(known.count, np.array(known.mean), np.array(known.squares))
    total: ChannelMoments | None = None
    for piece in _pieces(volume):
        flat = piece.reshape(len(piece), -1)
        if piece.dtype in (np.uint8, np.uint16, np.int16):  # many times faster, and exact enough
            statistics = np.array([cv2.meanStdDev(channel) for channel in flat]).reshape(-1, 2)
            mean, std = statistics[:, 0], statistics[:, 1]
        else:
            mean, std = flat.mean(1, dtype=np.float64), flat.std(1, dtype=np.float64)
        moments = ChannelMoments(flat.shape[1], mean, std**2 * flat.shape[1])
        total = moments if total is None else total.join(moments)
    if total is None:
        raise DataError(f"{volume.name}: holds no pixels")
    return total
