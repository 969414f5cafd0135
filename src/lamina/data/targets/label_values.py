"""Stored label values: made plain, counted and looked up, exactly or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within, unselected

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


def values_in(volume: Volume) -> dict[int, int]:
    """Count the stored values of a label volume, read in pieces.

    Returns:
        Value to number of pixels, in order of the values.

    Raises:
        DataError: colours differ, or a value is no whole number.
    """
    counted: Counter[int] = Counter()
    for region in pieces(volume, _PIECE):
        values, counts = np.unique(plain(volume, volume.read(region)), return_counts=True)
        counted.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return dict(sorted(counted.items()))


def plain(volume: Volume, stored: NDArray[Any]) -> NDArray[Any]:
    """Return labels as integers, (masks or 1, *S), or refuse what has no exact integer."""
    if len(stored) > 1 and not isinstance(unselected(volume), MaskStack):
        if len(stored) in (2, 4):
            opaque = np.iinfo(stored.dtype).max if stored.dtype.kind in "iu" else 1
            if (stored[-1] != opaque).any():
                raise DataError(
                    f"{volume.name}: a mask with transparent parts; save it without alpha"
                )
            stored = stored[:-1]
        if (stored != stored[:1]).any():
            raise DataError(
                f"{volume.name}: a mask in {len(stored)} different colours; save one channel of "
                "class numbers, or name the channels as outputs of a multilabel task"
            )
        stored = stored[:1]
    if stored.dtype.kind == "f":
        whole = np.isfinite(stored) & (stored == np.rint(stored))
        if not whole.all():
            fractions = int((~whole).sum())
            raise DataError(
                f"{volume.name}: {fractions} of {stored.size} pixels, "
                f"{100 * fractions / stored.size:.3g} %, "
                f"are no whole numbers, such as {stored[~whole][0]:g}; a mask holds class "
                "numbers: threshold it and save it again"
            )
        return stored.astype(np.int64)
    if stored.dtype.kind == "b":
        stored = stored.view(np.uint8)
    return stored


def looked_up(
    stored: NDArray[Any], table: tuple[tuple[int, int], ...], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the class of each stored value, and where the table has none."""
    keys = np.array([value for value, _ in table], np.int64)
    classes = np.array([label_class for _, label_class in table], dtype)
    if stored.dtype.itemsize == 1 or stored.dtype == np.uint16:
        # One look-up per pixel is ten times as fast as a search.
        first, last = np.iinfo(stored.dtype).min, np.iinfo(stored.dtype).max
        fits = (keys >= first) & (keys <= last)
        lookup, known = np.zeros(last - first + 1, dtype), np.zeros(last - first + 1, np.bool_)
        # A negative value counts from the end of both, as its bits do.
        lookup[keys[fits]], known[keys[fits]] = classes[fits], True
        return lookup[stored], ~known[stored]
    places = np.searchsorted(keys, stored).clip(0, len(keys) - 1)
    return classes[places], keys[places] != stored


def remedy(counts: Mapping[int, int], unknown: Mapping[int, int], top: int) -> str:
    """Say in the words of a recipe what would make sense of the values found."""
    values = sorted(counts)
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
