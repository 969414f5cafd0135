"""Planes of cases at the size in which they are shown, without more in memory than that needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.ground_truth import truth
from lamina.errors import LaminaError
from lamina.geometry.region import Region
from lamina.reporting.cards.panels import pictured
from lamina.result.decisions import AnyDecision
from lamina.task import Task
from lamina.viewer.cases.pyramid import SMALL, STEP, Levels, built
from lamina.viewer.cases.recent import Recent
from lamina.viewer.cases.reductions import Reduction, maxima, means
from lamina.viewer.cases.viewed import Masks, ViewedCase, deciding

What = Literal["image", "probability", "truth"]

_WHATS: tuple[What, ...] = ("image", "probability", "truth")

_BLOCKS = 256 * 2**20  # bytes of planes and small images that are kept
_BLOCK = 32 * 2**20  # bytes of neighbouring planes that are read together
_PLANES = 16  # of them at most
_MASKS = 256 * 2**20  # bytes of whole masks, of decisions that look at neighbours
_SAMPLE = 512  # side of the middle part that tells black and white
_FILES = 4 * 2**30  # bytes of levels on disk


@dataclass(frozen=True)
class Part:
    """A box of an image, or of a plane of a volume, and how large it is shown."""

    box: tuple[int, int, int, int]
    """y0, x0, y1, x1; half-open, inside the plane."""
    size: tuple[int, int]
    """Rows and columns of the picture at most; it is never larger than the box."""
    axis: int = 0
    at: int = 0
    """The plane across ``axis`` of a volume."""

    @property
    def factor(self) -> int:
        """How many pixels of the box one of the picture has along each side, at least."""
        y0, x0, y1, x1 = self.box
        return max(min((y1 - y0) // self.size[0], (x1 - x0) // self.size[1]), 1)


class Pixels:
    """Reads parts of cases; what was read last is kept in memory and in a scratch folder."""

    def __init__(self, task: Task, scratch: Path) -> None:
        self._task, self._scratch = task, scratch
        self._blocks: Recent[NDArray[Any]] = Recent(_BLOCKS, lambda block: block.nbytes)
        self._masks: Recent[NDArray[Any]] = Recent(_MASKS, lambda masks: masks.nbytes)
        self._levels: Recent[Levels] = Recent(_FILES, lambda levels: levels.nbytes)
        self._prepared = 0  # bytes of levels that were made ahead
        self._readers: Recent[Callable[[Region], NDArray[Any]]] = Recent(32, lambda _: 1)

    def prepare(self, case: ViewedCase) -> None:
        """Make the levels of a large image before it is looked at, as long as there is room.

        What cannot be read is told when it is looked at.
        """
        shape = tuple(case.found.case.image.shape)
        if len(shape) != 2 or shape[0] * shape[1] <= SMALL or self._prepared > _FILES // 2:
            return
        with suppress(LaminaError, OSError, ValueError):
            for what in _WHATS:
                if what != "truth" or case.found.case.target is not None:
                    reduce = self._reduction(what)
                    read, channels = self._read(case, what), self._channels(case, what)
                    levels = self._made(case, what, read, channels, reduce)
                    self._prepared += levels.nbytes

    def image(self, case: ViewedCase, part: Part) -> NDArray[Any]:
        """Return (1 or 3, h, w) of the image, shrunk by means, at least as large as asked."""
        return self._plane(case, "image", part, self._read(case, "image"), means)

    def answer(self, case: ViewedCase, part: Part) -> NDArray[Any]:
        """Return (K, h, w) probabilities, shrunk by maximum; values of restore by means."""
        read = self._read(case, "probability")
        return self._plane(case, "probability", part, read, self._reduction("probability"))

    def truth(self, case: ViewedCase, part: Part) -> NDArray[Any]:
        """Return (K, h, w) truth: true where any pixel below is; values of restore by means."""
        read = self._read(case, "truth")
        return self._plane(case, "truth", part, read, self._reduction("truth"))

    def _reduction(self, what: What) -> Reduction:
        return means if what == "image" or self._task.kind == "restore" else maxima

    def masks(self, case: ViewedCase, part: Part, decision: AnyDecision) -> NDArray[np.bool_]:
        """Return (K, h, w) masks by a decision: true where any pixel below is."""
        by_area = deciding(decision, case.counts)
        if by_area is not None:  # the largest probability of a block decides for it
            return by_area(self.answer(case, part))
        words = decision.model_dump_json()
        parts = (prob for _, prob in case.found.predictions.slabs(case.id))
        masks = decision.for_case(parts)
        if masks is None:
            whole = self._masks.get(
                (case.id, case.found.stamp, words),
                lambda: decision(case.found.predictions.prob(case.id)),
            )
            return _fitting(_cut(_across(whole, part), part), part, maxima)
        return self._plane(case, f"mask {words}", part, self._decided(case, masks), maxima)

    def image_ends(self, case: ViewedCase) -> tuple[float, float]:
        """Return what is black and white: bytes as they are, else by quantiles of the middle."""
        if case.found.case.image.dtype == np.uint8:
            return 0.0, 255.0
        return self._ends(case, "image")

    def value_ends(self, case: ViewedCase) -> tuple[float, float]:
        """Return the same of restored values, by their truth where there is one."""
        if case.found.case.image.dtype == np.uint8:
            return 0.0, 255.0 / (self._task.unit or 255.0)
        return self._ends(case, "probability" if case.found.case.target is None else "truth")

    def _ends(self, case: ViewedCase, what: What) -> tuple[float, float]:
        shape = case.found.case.image.shape
        sides = [min(_SAMPLE if n >= len(shape) - 2 else 1, side) for n, side in enumerate(shape)]
        start = tuple((side - part) // 2 for side, part in zip(shape, sides, strict=True))
        stop = tuple(a + part for a, part in zip(start, sides, strict=True))

        def ends() -> NDArray[Any]:
            return np.asarray(np.percentile(self._read(case, what)(Region(start, stop)), (1, 99)))

        low, high = self._blocks.get((case.id, case.found.stamp, what, "ends"), ends)
        return float(low), float(high)

    def _decided(self, case: ViewedCase, masks: Masks) -> Callable[[Region], NDArray[Any]]:
        read = self._read(case, "probability")
        return lambda region: masks(read(region))

    def _read(self, case: ViewedCase, what: What) -> Callable[[Region], NDArray[Any]]:
        """Return what reads (N, *region); ``probability`` is opened once."""
        found = case.found
        if what == "probability":
            return self._readers.get(
                (case.id, found.stamp), lambda: found.predictions.reader(case.id)
            )
        if what == "image":
            return pictured(found.case.image).read
        return lambda region: truth(found.case.crop(region, case.id), self._task)[0]

    def _plane(
        self,
        case: ViewedCase,
        what: str,
        part: Part,
        read: Callable[[Region], NDArray[Any]],
        reduce: Reduction,
    ) -> NDArray[Any]:
        shape = tuple(case.found.case.image.shape)
        key = (case.id, case.found.stamp, what)
        channels = self._channels(case, what)
        if len(shape) == 3:
            block, offset = self._block((*key, channels), shape, part, read)
            plane = np.take(block, offset, axis=part.axis + 1)
            return _fitting(_cut(plane, part), part, reduce)
        if shape[0] * shape[1] <= SMALL:
            whole = self._blocks.get(key, lambda: np.asarray(read(Region.whole(shape))))
            return _fitting(_cut(whole, part), part, reduce)
        y0, x0, y1, x1 = part.box
        coarse = None
        if part.factor >= STEP:
            coarse = self._made(case, what, read, channels, reduce).at(part.factor)
        if coarse is None:
            return _fitting(read(Region((y0, x0), (y1, x1))), part, reduce)
        factor, level = coarse
        inside = level[:, y0 // factor : -(-y1 // factor), x0 // factor : -(-x1 // factor)]
        return _fitting(np.asarray(inside), part, reduce)

    def _made(
        self,
        case: ViewedCase,
        what: str,
        read: Callable[[Region], NDArray[Any]],
        channels: int,
        reduce: Reduction,
    ) -> Levels:
        """Return the levels of an image, made once."""
        shape = tuple(case.found.case.image.shape)
        return self._levels.get(
            (case.id, case.found.stamp, what),
            lambda: built(read, channels, shape, reduce, self._scratch),
        )

    def _channels(self, case: ViewedCase, what: str) -> int:
        return pictured(case.found.case.image).channels if what == "image" else self._task.outputs

    def _block(
        self,
        key: tuple[Any, ...],
        shape: tuple[int, ...],
        part: Part,
        read: Callable[[Region], NDArray[Any]],
    ) -> tuple[NDArray[Any], int]:
        """Return neighbouring planes of a volume, and which of them is asked for."""
        each = 2 * key[-1] * (shape[0] * shape[1] * shape[2] // shape[part.axis])
        many = max(min(_BLOCK // each, _PLANES), 1)
        first = part.at // many * many
        start, stop = [0, 0, 0], list(shape)
        start[part.axis], stop[part.axis] = first, min(first + many, shape[part.axis])
        region = Region(tuple(start), tuple(stop))
        block = self._blocks.get(
            (*key, part.axis, first), lambda: np.ascontiguousarray(read(region))
        )
        return block, part.at - first


def _across(values: NDArray[Any], part: Part) -> NDArray[Any]:
    """Return the plane (N, h, w) of a volume (N, z, y, x), or an image as it is."""
    return values if values.ndim == 3 else np.take(values, part.at, axis=part.axis + 1)


def _cut(plane: NDArray[Any], part: Part) -> NDArray[Any]:
    y0, x0, y1, x1 = part.box
    return plane[:, y0:y1, x0:x1]


def _fitting(values: NDArray[Any], part: Part, reduce: Reduction) -> NDArray[Any]:
    """Shrink (N, h, w) by a whole number as far as it stays at least as large as asked."""
    factor = min(values.shape[1] // part.size[0], values.shape[2] // part.size[1])
    return reduce(values, factor) if factor > 1 else values
