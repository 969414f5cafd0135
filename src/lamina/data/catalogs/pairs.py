"""Pairs of an image file and a target file as cases, checked together.

All files of a data set are opened before the first is refused, so that one run tells all that
is wrong with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case, area_of
from lamina.data.targets.label_map import Classes, target_of, values_in
from lamina.data.targets.label_table import is_ambiguous, table_of
from lamina.data.views.with_data import WithData
from lamina.errors import DataError, listed
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.task import Task
from lamina.volume import Volume, check_within, read_all

T = TypeVar("T")
R = TypeVar("R")

NODATA = "nodata"
"""Fact of a case: the stored value of pixels without data."""

_NAMED = 5  # masks that a question names
_PROPOSED = 12  # values of a proposed data.labels


class Pair(NamedTuple):
    """An image file with its target file; None: the image is free of every class."""

    id: str
    image: Path
    target: Path | None


class OpenedPair(NamedTuple):
    """A pair with its two volumes; no pixel is read yet."""

    pair: Pair
    image: Volume
    target: Volume | None


@dataclass(frozen=True)
class Meaning:
    """What stored labels stand for: see the options ``labels`` and ``ignore`` of catalogs."""

    labels: Mapping[int | str, int] | str | None = None
    ignore: int | None = None

    @property
    def colours(self) -> bool:
        """Whether labels are keyed by colours."""
        return self.labels is not None and table_of(self.labels).colours


@dataclass(frozen=True)
class EmptyTarget:
    """Zeros of any size that take no memory: the target of an image without a mask."""

    name: str
    axes: str
    shape: tuple[int, ...]
    channels: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte a pixel."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return zeros ``(channels, *region.shape)``."""
        check_within(self, region)
        return np.zeros((self.channels, *region.shape), np.uint8)


def open_pairs(pairs: Sequence[Pair], opener: Callable[[Pair], OpenedPair]) -> list[OpenedPair]:
    """Return all pairs opened.

    Raises:
        DataError: files cannot be read; all of them are named.
    """
    return _all(opener, pairs, "files cannot be read")


def of_target(error: DataError) -> DataError:
    """Return an error of a target that names the target's options in place of the image's."""
    text = str(error)
    for option in ("axes", "dataset"):
        text = text.replace(f"data.{option}", f"data.target_{option}")
    return DataError(text)


def read_pairs(
    opened: Sequence[OpenedPair], task: Task, meaning: Meaning
) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Return the cases of all pairs and the names of the task's outputs.

    Targets of two axes are read once: this refuses values that are no class, and gives the facts
    ``classes`` (without the background of multiclass) and ``area_<index>``. Larger ones are read
    only where neither the task, nor ``meaning``, nor the number of channels says the classes.

    Args:
        opened: Files that belong together; ids are different.
        task: What targets mean.
        meaning: What stored values mean.

    Raises:
        RecipeError: the task names fewer classes than there are, or labels map to other classes.
        DataError: files do not fit each other or hold what is no class.
    """
    names = _names(
        [(one.image, one.target) for one in opened if one.target is not None], task, meaning
    )
    known = task.found(names)
    if meaning.labels == "binary":
        _check_binary([one.target for one in opened if one.target is not None], meaning.ignore)
    cases = _all(
        lambda one: _case(one, known, meaning),
        opened,
        "pairs of image and target cannot be used",
    )
    return tuple(cases), names


def _all(work: Callable[[T], R], items: Sequence[T], what: str) -> list[R]:
    """Return ``work`` of each item; problems are told together, or as they are if it is one."""
    done: list[R] = []
    problems: list[str] = []
    with Bar("opening files", len(items)) as bar:
        for item in items:
            try:
                done.append(work(item))
            except DataError as error:
                problems.append(str(error))
            bar.advance()
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        raise DataError(listed(f"{len(problems)} of {len(items)} {what}", problems))
    return done


def _names(
    opened: Sequence[tuple[Volume, Volume]], task: Task, meaning: Meaning
) -> tuple[str, ...]:
    """Return the names of the outputs: those of the task, or made up from the data."""
    if task.names is not None:
        return task.names
    if task.kind == "binary":
        return ("foreground",)
    if not opened:
        raise DataError("there is no target, so the classes are unknown; add masks")
    targets = [target for _, target in opened]
    if task.kind == "restore":
        return _of_channels(targets)
    if task.kind == "multilabel" and (masks := _masks(*opened[0])) > 1:
        highest = masks
    elif meaning.labels is not None:
        table = table_of(meaning.labels)
        highest = max([*table.classes.values(), table.others or 0], default=0)
    else:
        highest = _highest(targets, meaning.ignore)
    first = 1 if task.kind == "multilabel" else 0
    return tuple(f"class_{k}" for k in range(first, highest + 1))


def _masks(image: Volume, target: Volume) -> int:
    """Return how many masks a target holds: its channels, or its pages beside a flat image."""
    return target.shape[0] if len(target.axes) > len(image.axes) else target.channels


def _of_channels(targets: Sequence[Volume]) -> tuple[str, ...]:
    channels = targets[0].channels
    odd = [f"{other.name}: {other.channels}" for other in targets if other.channels != channels]
    if odd:
        raise DataError(
            listed(f"{targets[0].name}: has {channels} channels, other targets have not", odd)
        )
    return ("value",) if channels == 1 else tuple(f"value_{k}" for k in range(channels))


def _highest(targets: Sequence[Volume], ignore: int | None) -> int:
    """Return the highest stored class, read from all targets; a gap below it is refused (L04)."""
    counts: Counter[int] = Counter()
    seen: dict[int, str] = {}
    for target, found in zip(
        targets, _all(values_in, targets, "targets cannot be read"), strict=True
    ):
        counts.update(found)
        seen |= {value: target.name for value in found if value not in seen}
    counts.pop(ignore, None)  # type: ignore[arg-type]  # no key is None
    highest = max(counts, default=0)
    if min(counts, default=0) < 0:
        raise DataError(
            f"{seen[min(counts)]}: holds the value {min(counts)}; set data.ignore: {min(counts)} "
            "if such pixels do not count, else name every value in data.labels"
        )
    if highest < 1 or min(counts) < 0 or len(counts.keys() | {0}) <= highest:
        labels = {value: k for k, value in enumerate(sorted(counts)[:_PROPOSED])}
        raise DataError(
            listed(
                f"{len(counts)} stored values do not count 0, 1, 2 ... without a gap; set "
                f"data.labels, such as {labels}, or task.names if the others are just rare",
                [f"{v}: {n} pixels, first in {seen[v]}" for v, n in sorted(counts.items())],
            )
        )
    return highest


def _check_binary(targets: Sequence[Volume], ignore: int | None) -> None:
    """Refuse a data set in which both 1 and 255 occur: 255 may be void (Pascal VOC).

    Masks that hold other values, too, are told with the others.
    """
    holding: dict[int, list[str]] = {1: [], 255: []}
    for target in targets:
        if len(target.axes) != 2:
            continue
        try:
            found = values_in(target).keys()
        except DataError:
            continue  # told with the others
        if found - {0, 1, 255, ignore}:
            continue
        for value, names in holding.items():
            names += [target.name] if value in found and value != ignore else []
    if is_ambiguous("binary", [value for value, names in holding.items() if names]):
        raise DataError(
            f"masks hold 1 ({_some(holding[1])}) and 255 ({_some(holding[255])}); set "
            "data.ignore: 255 if 255 marks pixels that do not count, or data.labels: "
            "{0: 0, 1: 1, 255: 1} if both are the class"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def ambiguous(cases: Sequence[Case], task: Task, meaning: Meaning) -> str | None:
    """Return what has to be decided about the values of all masks together; or None.

    That is whether 255 counts where masks of ``binary`` hold 1, too, and what the values of a task
    without names are that do not count 0, 1, 2 ...
    """
    stored = [case.target.source for case in cases if isinstance(case.target, Classes)]
    try:
        if meaning.labels == "binary":
            _check_binary(stored, meaning.ignore)
        unnamed = task.kind in ("multiclass", "multilabel") and task.names is None
        if unnamed and meaning.labels is None and stored:
            _highest(stored, meaning.ignore)
    except DataError as error:
        return str(error)
    return None


def _case(opened: OpenedPair, task: Task, meaning: Meaning) -> Case:
    pair, image, stored = opened.pair, opened.image, opened.target
    if stored is None:
        channels = task.outputs if task.kind == "multilabel" else 1
        target: Volume = EmptyTarget(f"no mask of {pair.id}", image.axes, image.shape, channels)
        valid = None
    else:
        target, valid = target_of(
            stored,
            task_kind=task.kind,
            classes=task.outputs,
            values=meaning.labels,
            ignore=meaning.ignore,
            axes=image.axes,
        )
    nodata = getattr(image, "nodata", None)
    if nodata is not None:
        valid = WithData(image, nodata, valid)
    labels = () if pair.target is None else (str(pair.target),)
    files = (str(pair.image),)
    facts: dict[str, float | str] = {} if nodata is None else {NODATA: nodata}
    case = Case(pair.id, pair.id, image, target, valid, files, facts, labels)
    if task.kind != "restore" and len(image.axes) == 2:
        facts |= _facts(target, task)  # once the case has compared the shapes
    return case


def _facts(target: Volume, task: Task) -> dict[str, float | str]:
    areas = _areas(target, task)
    facts: dict[str, float | str] = {area_of(k): int(area) for k, area in enumerate(areas)}
    facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
    return facts


def _areas(target: Volume, task: Task) -> Sequence[int]:
    """Return the pixels of each output, read only where they were not counted before."""
    if isinstance(target, EmptyTarget):
        return [0] * target.channels
    known = target.class_counts() if isinstance(target, Classes) else None
    if known is not None:
        first = int(task.kind != "multiclass")  # class k is output k - 1 where none is no class
        areas = [known.get(k + first, 0) for k in range(task.outputs)]
    else:
        found = read_all(target)
        if task.kind != "multiclass":
            return [int(area) for area in found.sum(axis=(1, 2), dtype=np.int64)]
        areas = np.bincount(found.ravel(), minlength=task.outputs).tolist()
    if task.kind == "multiclass":
        areas[0] = 0  # the background is in every image and tells nothing
    return areas
