"""Answers of a case in the order in which its file stores voxels.

A case may be read otherwise than it is stored: turned to the canonical orientation of a body, or
with its axes in the order of its target's. Answers are turned back slab by slab into a temporary
file, so that a format may write them in whatever order it stores them, and no more than a slab is
in memory.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lamina.files import scratch
from lamina.geometry.region import Region
from lamina.prediction.folder.file_names import class_folders
from lamina.prediction.folder.manifest import Holds
from lamina.prediction.folder.predictions import Predictions
from lamina.task import Task
from lamina.volume import Transposed, Volume, VolumeView

T = TypeVar("T")

_DONT_NEED: int | None = getattr(mmap, "MADV_DONTNEED", None)

_PART = 2**22  # voxels that are worked on together

Part = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""From probabilities and masks (K, *R) of a region to what is stored of it, (*R)."""

FOLDER = "native"
"""Folder of files in the format of their source."""

PROBABILITIES = "probabilities"
"""Folder of probabilities that are written beside labels."""


@dataclass(frozen=True)
class Native:
    """A format that answers are written in."""

    readers: tuple[type, ...]
    """Readers of the files whose answers are written so."""

    suffix: str
    """Ending of the file's name."""

    write: Callable[[Path, Answer, Layer], str]
    """Writes a layer of an answer to a path that ends in ``suffix``; returns its SHA-256."""

    layers: Callable[[Answer], tuple[Layer, ...]]
    """What files there are."""

    probabilities: bool = False
    """Whether probabilities may be written beside labels, in float32."""

    why_not: Callable[[Answer], str | None] = lambda _: None
    """Why the format cannot hold an answer; None: it can."""


@dataclass(frozen=True)
class Layer:
    """What one file holds: of some formats all classes, else one."""

    holds: Holds
    """Its content."""

    number: int | None = None
    """Index of the one class; None: of all classes, which exclude each other."""

    folder: str | None = None
    """Folder of the class; None: there is one file."""


@dataclass(frozen=True)
class Trail:
    """How a case lies in the array that its file stores."""

    reader: Volume
    """The volume of the file."""

    turns: tuple[Transposed, ...] = ()
    """How it is turned until it is the case, the last first."""

    def stored(self, region: Region, part: NDArray[Any]) -> tuple[Region, NDArray[Any]]:
        """Return where a region of the case lies in the stored array, and its values there."""
        for view in self.turns:
            back = sorted(range(len(view.order)), key=view.order.__getitem__)
            spans, turned = [], part
            for axis, flip in enumerate(view.turn.flipped):
                start, stop, length = region.start[axis], region.stop[axis], view.shape[axis]
                spans.append((length - stop, length - start) if flip else (start, stop))
                turned = np.flip(turned, axis) if flip else turned
            part = turned.transpose(back)
            region = Region(tuple(spans[a][0] for a in back), tuple(spans[a][1] for a in back))
        return region, part


def trail_of(volume: Volume) -> Trail | None:
    """Return how a case lies in the array of its file; None: it is a part of it, or resized."""
    turns: list[Transposed] = []
    while isinstance(volume, VolumeView):
        if isinstance(volume, Transposed):
            turns.append(volume)
        elif (volume.axes, volume.shape) != (volume.source.axes, volume.source.shape):
            return None
        volume = volume.source
    return Trail(volume, tuple(turns))


@dataclass(frozen=True)
class Answer:
    """A finished case and the file that it is of."""

    predictions: Predictions
    id: str
    trail: Trail
    _once: dict[Callable[[Any], Any], Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, read: Callable[[Any], T]) -> T:
        """Return what ``read`` makes of ``reader``; the files of an answer have it in common."""
        if read not in self._once:
            self._once[read] = read(self.reader)
        found: T = self._once[read]
        return found

    @property
    def reader(self) -> Any:
        """The volume of the file."""
        return self.trail.reader

    @property
    def restores(self) -> bool:
        """Whether values are answered, not probabilities."""
        return self.predictions.task.kind == "restore"

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the stored axes."""
        return tuple(self.reader.shape)

    @property
    def task(self) -> Task:
        """What the outputs mean."""
        return self.predictions.task

    @contextmanager
    def stored(
        self,
        beside: Path,
        dtype: Any,
        part: Part,
        *,
        order: Literal["C", "F"] = "C",
    ) -> Iterator[NDArray[Any]]:
        """Yield an array as the file stores its axes; what is large is in a temporary file.

        Args:
            beside: The file that is written of it; the temporary one lies beside it.
            dtype: Type of the array.
            part: What it holds of each region.
            order: How its elements lie one after another.
        """
        if not self.predictions.case(self.id).chunked:
            array: Any = np.empty(self.shape, dtype, order)
            self._fill(array, part)
            yield array
            return
        with scratch(beside) as stream:
            array = np.memmap(stream, dtype, "w+", 0, self.shape, order)
            self._fill(array, part)
            yield array

    def _fill(self, array: Any, part: Part) -> None:
        for region, prob, masks in self.predictions.decided(self.id):
            for start, stop in _spans(region.shape):
                some = Region(
                    (region.start[0] + start, *region.start[1:]),
                    (region.start[0] + stop, *region.stop[1:]),
                )
                answer = part(prob[:, start:stop], masks[:, start:stop])
                place, values = self.trail.stored(some, answer)
                array[place.slices] = values
            let_go(array)

    def labels(self, layer: Layer) -> tuple[np.dtype[Any], Part]:
        """Return the type and the values of masks as labels: class ids, or 1 of one class."""
        if layer.number is not None:
            number = layer.number
            return np.dtype(np.uint8), lambda _, masks: masks[number]
        wide = self.predictions.task.outputs > 256
        dtype = np.dtype(np.uint16 if wide else np.uint8)
        return dtype, lambda _, masks: masks.argmax(axis=0).astype(dtype)

    def numbers(self, layer: Layer) -> tuple[np.dtype[Any], Part]:
        """Return the type and the values of a layer: labels, or float32."""
        if layer.holds == "labels":
            return self.labels(layer)
        return np.dtype(np.float32), self.values(layer.number or 0)

    def values(self, number: int, scale: float = 1.0) -> Part:
        """Return probabilities times ``scale`` of a class, or restored values, in float32."""
        if self.restores:
            return lambda prob, _: self.predictions.in_stored_units(self.id, prob[number])
        return lambda prob, _: prob[number].astype(np.float32) * np.float32(scale)

    def classes(self) -> tuple[tuple[int, str], ...]:
        """Return index and folder of each class but the background of exclusive ones."""
        task = self.predictions.task
        folders = class_folders(task.names or ())
        return tuple(enumerate(folders))[int(task.exclusive) :]

    def probability_layers(self) -> tuple[Layer, ...]:
        """Return a file of probabilities for each class but the background of exclusive ones."""
        if self.restores:
            return ()
        classes = self.classes()
        if len(classes) == 1:
            return (Layer("probability", classes[0][0], PROBABILITIES),)
        return tuple(Layer("probability", k, f"{PROBABILITIES}/{name}") for k, name in classes)

    def label_layers(self) -> tuple[Layer, ...]:
        """Return a file of labels, or one for each class where they overlap."""
        task = self.predictions.task
        if task.kind == "restore":
            return (Layer("values", 0),)
        if task.kind == "multilabel":
            return tuple(Layer("labels", k, folder) for k, folder in self.classes())
        return (Layer("labels", None if task.exclusive else 0),)


def one_channel(answer: Answer) -> str | None:
    """Return why restored values cannot be written; None: they have one channel, or are masks."""
    outputs = answer.predictions.task.outputs
    if answer.restores and outputs > 1:
        return f"its {outputs} restored channels are in masks only"
    return None


def _spans(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield parts of the first axis that are at most 2^22 voxels, or one slice."""
    step = max(_PART // max(math.prod(shape[1:]), 1), 1)
    for start in range(0, shape[0], step):
        yield start, min(start + step, shape[0])


def let_go(array: Any) -> None:
    """Give the pages of a mapped array back to the system's cache."""
    if _DONT_NEED is not None and isinstance(array, np.memmap):
        array.flush()
        array._mmap.madvise(_DONT_NEED)  # type: ignore[attr-defined]
