"""From stored label values to the channels of a task, lazily and without guessing.

A value that neither the recipe nor the task names is an error with its count and share: such
values come from masks saved as 0/255, from resampled or JPEG-compressed masks, and from
classes that somebody forgot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.label_table import as_colour, table_of
from lamina.data.targets.label_values import (
    MaskStack,
    coloured,
    looked_up,
    plain,
    remedy,
    values_in,
)
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import Crop, Volume, VolumeView, check_within

__all__ = ["Classes", "MaskStack", "TaskKind", "Valid", "target_of", "values_in"]

TaskKind = Literal["binary", "multilabel", "multiclass", "restore"]

_COUNTED = 1 << 28  # a larger volume is not counted as a whole for the sake of a message
_SHOWN = 8  # odd values that a message lists


def target_of(
    volume: Volume,
    *,
    task_kind: TaskKind,
    classes: int | None,
    values: Mapping[int | str, int] | str | None,
    ignore: int | None,
    axes: str | None = None,
) -> tuple[Volume, Volume | None]:
    """Lay the meaning of a task over stored labels; nothing is read yet.

    ========== ============================================= ===========================
    kind       classes that stored values are or map to      target
    ========== ============================================= ===========================
    binary     0 and 1                                       1 channel of 0/1
    multiclass 0..K-1                                        1 channel of ids
    multilabel 0 for none, k for output k-1; or a stack of   K channels of 0/1
               K masks of 0 and 1
    restore    any value                                     the volume itself
    ========== ============================================= ===========================

    Accepted are integers, booleans, floats that are whole numbers, and colours that are equal
    (L03). A stack of masks is a volume of K channels, K > 1, or one with an axis more than the
    image.

    Args:
        volume: The stored labels.
        task_kind: As in ``Task``.
        classes: K, the number of outputs; None for multiclass and multilabel: what ``values``
            or the number of masks in the stack say.
        values: As ``LabelTable``; None: stored values are classes.
        ignore: Stored value of pixels that do not count; they are 0 in the target.
        axes: Axes of the image; a label volume with one axis before these is a stack of masks.

    Returns:
        The target, uint8 (uint16 above 256 classes), and 1 where a pixel counts, 1 channel of
        uint8, or None where all count.

    Raises:
        RecipeError: ``values`` is empty or names a class that the task does not have.
        DataError: when read: a stored value is named by neither; colours differ.
        ValueError: the number of classes follows from nothing.
    """
    source = _stack(volume, classes, axes) if task_kind == "multilabel" else volume
    valid = None if ignore is None else Valid(source, ignore)
    if task_kind == "restore":
        return volume, valid
    stacked = isinstance(source, MaskStack)
    named = values if values is None or isinstance(values, str) else tuple(values.items())
    return _rules(task_kind, classes, named, ignore, stacked=stacked).over(source), valid


@dataclass(frozen=True)
class _Rules:
    """What is the same for all targets of a data set; fields as of ``Classes``."""

    table: tuple[tuple[int, int], ...]
    top: int
    outputs: int | None
    others: int | None
    colours: bool

    def over(self, source: Volume) -> Classes:
        return Classes(
            source, self.table, self.top, self.outputs, others=self.others, colours=self.colours
        )


@lru_cache(64)
def _rules(
    task_kind: TaskKind,
    classes: int | None,
    values: tuple[tuple[int | str, int], ...] | str | None,
    ignore: int | None,
    *,
    stacked: bool,
) -> _Rules:
    """Return how stored values become classes, worked out once for 100,000 masks."""
    if values is not None and not values:
        raise RecipeError("data.labels is empty; name stored values, such as {0: 0, 255: 1}")
    named = None
    if values is not None:
        named = table_of(values if isinstance(values, str) else dict(values))
    meant = [] if named is None else [*named.classes.values(), *_given(named.others)]
    top = 1 if stacked or task_kind == "binary" else _highest(task_kind, classes, meant)
    table = {k: k for k in range(top + 1)} if named is None else dict(named.classes)
    if named is not None and named.others is not None and not 0 <= named.others <= top:
        raise RecipeError(
            f"data.labels maps others to {named.others}, but classes of this {task_kind} task are "
            f"0 to {top}; change data.labels or task.names"
        )
    for stored, label_class in table.items():
        if not 0 <= label_class <= top:
            raise RecipeError(
                f"data.labels maps {stored} to {label_class}, but classes of this {task_kind} task "
                f"are 0 to {top}; change data.labels or task.names"
            )
    if ignore is not None:
        table[ignore] = 0
    outputs = top if task_kind == "multilabel" and not stacked else None
    others, colours = (None, False) if named is None else (named.others, named.colours)
    return _Rules(tuple(sorted(table.items())), top, outputs, others, colours)


def _given(label: int | None) -> tuple[int, ...]:
    return () if label is None else (label,)


@dataclass(frozen=True)
class Classes(VolumeView):
    """Stored labels as the target of a task, see ``target_of``.

    ``table``: stored value and class, in order. ``top``: highest class. ``outputs``: number of
    channels where class k is channel k-1; None: the channels of the source, holding classes.
    ``others``: class of values that are not in the table; None: they are refused. ``colours``:
    whether the table is of colours.
    """

    table: tuple[tuple[int, int], ...]
    top: int
    outputs: int | None = None
    others: int | None = None
    colours: bool = False

    @property
    def channels(self) -> int:
        """Masks of a stack, outputs of a multilabel task, or 1."""
        if self.outputs is not None:
            return self.outputs
        return self.source.channels if isinstance(self.source, MaskStack) else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 where 256 classes are not enough."""
        return np.dtype(np.uint8 if self.top < 256 else np.uint16)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of classes, or of 0/1 for multilabel.

        Raises:
            ValueError: the region leaves the volume.
            DataError: a stored value is not in the table; the message counts all such values.
        """
        check_within(self, region)
        stored = self.source.read(region)
        stored = coloured(self.source, stored) if self.colours else plain(self.source, stored)
        ids, unknown = looked_up(stored, self.table, self.dtype)
        if self.others is not None:
            ids = np.where(unknown, self.dtype.type(self.others), ids)
        elif unknown.any():
            raise self._odd(region)
        if self.outputs is None:
            return ids
        outputs = np.arange(1, self.outputs + 1).reshape(-1, *([1] * (ids.ndim - 1)))
        masks: NDArray[Any] = (ids == outputs).astype(self.dtype)
        return masks

    def class_counts(self) -> dict[int, int] | None:
        """Return the pixels of each class where stored values were counted before; else None.

        None, too, where a stored value is no class: reading the mask says which.
        """
        stored = None if self.colours else getattr(self.source, "value_counts", None)
        if stored is None:
            return None
        table, found = dict(self.table), dict[int, int]()
        for value, count in stored.items():
            label = table.get(value, self.others)
            if label is None:
                return None
            found[label] = found.get(label, 0) + count
        return found

    def _odd(self, region: Region) -> DataError:
        """Explain the values that nothing names, counted over the whole volume if it is small."""
        whole = int(np.prod(self.shape)) * self.source.channels <= _COUNTED
        counted = self.source if whole else Crop(self.source, region)
        counts = values_in(counted, colours=self.colours)
        known = {value for value, _ in self.table}
        unknown = {value: count for value, count in counts.items() if value not in known}
        total = sum(counts.values())
        share = 100 * sum(unknown.values()) / total
        most = sorted(unknown, key=lambda value: -unknown[value])
        percent = {value: 100 * count / total for value, count in unknown.items()}
        listed = "".join(
            f"\n  {self._named(value)}: {unknown[value]} pixels, {percent[value]:.3g} %"
            for value in most[:_SHOWN]
        )
        more = f"\n  and {len(unknown) - _SHOWN} more values" if len(unknown) > _SHOWN else ""
        where = "" if whole else f" in {region}"
        values = "a value that is" if len(unknown) == 1 else f"{len(unknown)} values that are"
        return DataError(
            f"{self.name}: {share:.3g} % of the pixels{where} hold {values} no class; "
            f"{self._remedy(counts, unknown)}{listed}{more}"
        )

    def _named(self, value: int) -> str:
        return as_colour(value) if self.colours else str(value)

    def _remedy(self, counts: Mapping[int, int], unknown: Mapping[int, int]) -> str:
        if self.colours:
            return "name each colour in data.labels, or add others: 0"
        return remedy(counts, unknown, self.top)


@dataclass(frozen=True)
class Valid(VolumeView):
    """1 where stored labels are not the ignored value, 0 where they are."""

    ignore: int

    channels = 1
    dtype = np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        """Return (1, *region.shape); in a stack a pixel counts where no mask ignores it."""
        check_within(self, region)
        stored = plain(self.source, self.source.read(region))
        counts: NDArray[np.bool_] = (stored != self.ignore).all(axis=0, keepdims=True)
        return counts.astype(np.uint8)


def _stack(volume: Volume, classes: int | None, axes: str | None) -> Volume:
    """Return ``volume`` as a stack of masks if it is one, else as it is."""
    if axes is not None and len(volume.axes) == len(axes) + 1 and volume.channels == 1:
        stack = MaskStack(volume, pages=True)
    elif volume.channels > 1 and classes in (None, volume.channels):
        stack = MaskStack(volume, pages=False)
    else:
        return volume
    if classes not in (None, stack.channels):
        raise DataError(
            f"{volume.name}: holds {stack.channels} masks, but the task has {classes} outputs; "
            "set task.names to match"
        )
    return stack


def _highest(task_kind: TaskKind, classes: int | None, meant: Sequence[int]) -> int:
    if classes is not None:
        return classes if task_kind == "multilabel" else classes - 1
    if not meant:
        raise ValueError(f"the number of classes of a {task_kind} task must be known")
    return max(meant)
