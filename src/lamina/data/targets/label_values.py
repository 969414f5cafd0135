"""Stored label values: made plain, counted and looked up, exactly or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.label_table import as_colour
from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within, unselected

_COLOURS = 8  # that a message lists
_PIECE = 1 << 24  # values that are held at a time while counting


@dataclass(frozen=True)
class MaskStack(VolumeView):
    """Masks of several classes as channels: those of the source, or its first axis."""

    pages: bool

    @property
    def axes(self) -> str:
        """Axes of one mask."""
        return self.source.axes[int(self.pages) :]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one mask."""
        return self.source.shape[int(self.pages) :]

    @property
    def channels(self) -> int:
        """Number of masks."""
        return self.source.shape[0] if self.pages else self.source.channels

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(masks, *region.shape)`` in the stored type."""
        check_within(self, region)
        if not self.pages:
            return self.source.read(region)
        masks = Region((0, *region.start), (self.channels, *region.stop))
        stored: NDArray[Any] = self.source.read(masks)[0]
        return stored


@dataclass(frozen=True)
class Regions(VolumeView):
    """One channel of 0 and 1 for each set of stored values, as nnU-Net's regions.

    ``values``: the stored values of each channel. ``ignore``: stored value that stays as it is in
    every channel; None: there is none. Values of no channel are background, 0 only.
    """

    values: tuple[tuple[int, ...], ...]
    ignore: int | None = None

    @property
    def channels(self) -> int:
        """One for each set of values."""
        return len(self.values)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the stored labels, which holds the ignored value."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``.

        Raises:
            DataError: a stored value belongs to no channel, and is neither 0 nor ignored.
        """
        check_within(self, region)
        stored = plain(self.source, self.source.read(region))[0]
        known = {0, *(value for group in self.values for value in group)}
        if self.ignore is not None:
            known.add(self.ignore)
        odd = sorted(set(np.unique(stored).tolist()) - known)
        if odd:
            raise DataError(
                f"{self.name}: holds the value {odd[0]}, which dataset.json does not name; correct "
                "the labels there"
            )
        masks = np.stack([np.isin(stored, group) for group in self.values]).astype(self.dtype)
        if self.ignore is not None:
            masks[:, stored == self.ignore] = self.ignore
        found: NDArray[Any] = masks
        return found


def values_in(volume: Volume, *, colours: bool = False) -> dict[int, int]:
    """Count the stored values of a label volume, read in pieces.

    Args:
        volume: The stored labels.
        colours: Count colours, as ``coloured`` makes numbers of them.

    Returns:
        Value to number of pixels, in order of the values.

    Raises:
        DataError: colours differ, or a value is not a whole number.
    """
    before = None if colours else getattr(volume, "value_counts", None)
    if before is not None:
        return dict(before)
    counted: Counter[int] = Counter()
    for region in pieces(volume, _PIECE):
        stored = volume.read(region)
        labels = coloured(volume, stored) if colours else plain(volume, stored)
        values, counts = np.unique(labels, return_counts=True)
        counted.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return dict(sorted(counted.items()))


def plain(volume: Volume, stored: NDArray[Any]) -> NDArray[Any]:
    """Return labels as integers, (masks or 1, *S), or refuse what has no exact integer."""
    if len(stored) > 1 and not isinstance(unselected(volume), MaskStack):
        stored = _opaque(volume, stored)
        if (stored != stored[:1]).any():
            raise _in_colours(volume, stored)
        stored = stored[:1]
    if stored.dtype.kind == "f":
        whole = np.isfinite(stored) & (stored == np.rint(stored))
        if not whole.all():
            fractions = int((~whole).sum())
            raise DataError(
                f"{volume.name}: {fractions} of {stored.size} pixels, "
                f"{100 * fractions / stored.size:.3g} %, "
                f"are not whole numbers, such as {stored[~whole][0]:g}; a mask holds class "
                "numbers: threshold it and save it again"
            )
        return stored.astype(np.int64)
    if stored.dtype.kind == "b":
        stored = stored.view(np.uint8)
    return stored


def coloured(volume: Volume, stored: NDArray[Any]) -> NDArray[Any]:
    """Return colours as numbers red * 65536 + green * 256 + blue, (1, *S).

    Raises:
        DataError: colours are not of 8 bits, or a mask is neither grey nor in colours.
    """
    stored = _opaque(volume, stored)
    if stored.dtype != np.uint8 or len(stored) not in (1, 3):
        raise DataError(
            f"{volume.name}: has {len(stored)} channels of {stored.dtype}, and data.labels is "
            "keyed by colours of 8 bits; key it by stored values, or save the mask as RGB"
        )
    red, green, blue = (stored[k % len(stored)].astype(np.int64) for k in range(3))
    return np.asarray((red << 16) + (green << 8) + blue)[None]


def _opaque(volume: Volume, stored: NDArray[Any]) -> NDArray[Any]:
    """Return a mask without an alpha that is opaque everywhere; refuse any other."""
    if len(stored) not in (2, 4):
        return stored
    opaque = np.iinfo(stored.dtype).max if stored.dtype.kind in "iu" else 1
    if (stored[-1] != opaque).any():
        raise DataError(f"{volume.name}: a mask with transparent parts; save it without alpha")
    return stored[:-1]


def _in_colours(volume: Volume, stored: NDArray[Any]) -> DataError:
    """Say what colours a mask has, and the option that gives them a meaning."""
    if len(stored) != 3 or stored.dtype != np.uint8:
        return DataError(
            f"{volume.name}: a mask of {len(stored)} channels that differ; save one channel of "
            "class numbers, or name the channels as outputs of a multilabel task"
        )
    found, counts = np.unique(coloured(volume, stored), return_counts=True)
    order = np.argsort(-counts)
    colours = [as_colour(int(found[k])) for k in order[:_COLOURS]]
    table = ", ".join(f"'{colour}': {number}" for number, colour in enumerate(colours))
    more = f" (the most frequent of {len(found)})" if len(found) > len(colours) else ""
    return DataError(
        f"{volume.name}: a mask in colours; set data.labels, such as {{{table}}}{more}, or save "
        "one channel of class numbers"
    )


def looked_up(
    stored: NDArray[Any], table: tuple[tuple[int, int], ...], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the class of each stored value, and where the table has none."""
    if stored.dtype.itemsize == 1 or stored.dtype == np.uint16:
        lookup, unknown = _lookup(table, dtype, stored.dtype)
        return lookup[stored], unknown[stored]
    keys = np.array([value for value, _ in table], np.int64)
    classes = np.array([label_class for _, label_class in table], dtype)
    places = np.searchsorted(keys, stored).clip(0, len(keys) - 1)
    return classes[places], keys[places] != stored


@lru_cache(64)
def _lookup(
    table: tuple[tuple[int, int], ...], dtype: np.dtype[Any], of: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the class of each value of a small type, and where the table has none; read-only.

    One look-up per pixel is ten times as fast as a search. A negative value counts from the end
    of both, as its bits do.
    """
    first, last = np.iinfo(of).min, np.iinfo(of).max
    lookup, unknown = np.zeros(last - first + 1, dtype), np.ones(last - first + 1, np.bool_)
    for value, label_class in table:
        if first <= value <= last:
            lookup[value], unknown[value] = label_class, False
    lookup.setflags(write=False)
    unknown.setflags(write=False)
    return lookup, unknown


def remedy(counts: Mapping[int, int], unknown: Mapping[int, int], top: int) -> str:
    """Say in the words of a recipe what would make sense of the values found."""
    values = sorted(counts)
    if values[0] < 0:
        return (
            f"set data.ignore: {values[0]} if such pixels do not count, else name it in data.labels"
        )
    if top == 1 and len(values) > _COLOURS and values[-1] - values[1] == len(values) - 2:
        return "set data.labels: {0: 0, others: 1} if each value is one object of the class"
    if top == 1 and len(values) <= 2 and set(values) - set(unknown) <= {0}:
        on = values[-1]
        return f"set data.labels: {{0: 0, {on}: 1}}"
    if len(unknown) > (2 if top == 1 else 20):
        return (
            "if the mask was resized or saved as JPEG, save it again as PNG without smoothing; "
            "else name each value in data.labels"
        )
    if len(values) == top + 1:
        table = ", ".join(f"{value}: {rank}" for rank, value in enumerate(values))
        return f"set data.labels: {{{table}}}, or another order of classes"
    return "name each in data.labels (value: class), or the one that must not count in data.ignore"
