"""A volume along one axis, a slab of slices at a time: read once, answered slice by slice.

Chunked files are decoded a slab at a time, each chunk once along every axis where the memory holds
that many slices. No more of a volume is held than one slab as it is stored and one as it is
answered, whatever its depth. Slices of a slab share batches.

Letters: K outputs, t slices of a slab, h and w rows and columns of a slice, S the volume's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import lcm, prod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.network_input.frame import Frame, Slices
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.prediction.tiling.in_memory import answer_images
from lamina.prediction.tiling.tiled_inference import TiledInference
from lamina.volume import ArrayVolume, Plane, Volume, VolumeView, chunk_shape_of

BUDGET = 128 * 2**20
"""Bytes of one slab, as it is stored and as it is answered."""

THICKEST = 64
"""Most slices of a stored chunk. Thinner ones have a power of two."""

MOST = 256
"""Most slices of a slab, unless a chunk of the stored answer is thicker."""


_UNSIGNED: dict[int, Any] = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.float64}
"""Types whose values OpenCV moves as they are, by their bytes."""


@dataclass(frozen=True)
class Slab:
    """The slices ``start`` to ``stop`` along one axis of a volume."""

    axis: str
    at: int
    """Which of the stored axes that is."""
    start: int
    stop: int

    def within(self, region: Region) -> Region:
        """Return ``region`` cut down to these slices."""
        start, stop = list(region.start), list(region.stop)
        start[self.at] = max(start[self.at], self.start)
        stop[self.at] = min(stop[self.at], self.stop)
        return Region(tuple(start), tuple(stop))


def is_cut(volume: Volume, frame: Frame) -> bool:
    """Return whether a volume is answered slice by slice, by a frame of images.

    Raises:
        RecipeError: it is an image, and the frame sees blocks of voxels.
    """
    if len(volume.axes) < frame.axes:
        raise RecipeError(
            f"{volume.name}: has axes '{volume.axes}', and the network sees blocks of voxels "
            f"(frame.size {list(frame.size)}); give volumes of three axes"
        )
    return len(volume.axes) > frame.axes


def check_axes(volume: Volume, slices: Slices | None) -> Slices:
    """Return how a volume is cut.

    Raises:
        RecipeError: the recipe does not say.
        DataError: the volume lacks an axis that the recipe names.
    """
    if slices is None:
        raise RecipeError(
            f"{volume.name}: has axes '{volume.axes}', and the recipe is for images; train "
            "it with -s frame.slices.axes=z, or predict its slices as images"
        )
    for axis in slices.axes:
        if axis not in volume.axes:
            raise DataError(
                f"{volume.name}: has axes '{volume.axes}', and frame.slices names '{axis}'; "
                f"convert it, or train with -s frame.slices.axes={volume.axes[0]}"
            )
    return slices


def slice_bytes(volume: Volume, axis: str, outputs: int) -> int:
    """Return the bytes of a slice, as it is stored and as it is answered in float32."""
    area = prod(volume.shape) // max(volume.shape[volume.axes.index(axis)], 1)
    return area * (4 * outputs + volume.channels * volume.dtype.itemsize)


def depth(volume: Volume, axis: str, outputs: int) -> int:
    """Return the slices of a chunk of the stored answer along the axis that is walked last.

    It follows from shape and types alone: 64, or the largest power of two within 128 MiB, or 1.
    """
    thick, each = THICKEST, slice_bytes(volume, axis, outputs)
    while thick > 1 and thick * each > BUDGET:
        thick //= 2
    return thick


def thickness(volume: Volume, axis: str, outputs: int, memory: int | None = None) -> int:
    """Return the slices of a slab: whole chunks of the source and of the stored answer.

    Where the memory does not hold a chunk of the source, as many chunks of the answer as it holds,
    at least one.

    Args:
        volume: It says how it is chunked.
        axis: The axis across which it is cut.
        outputs: K of the answer.
        memory: Bytes for slabs; None: 256 MiB.
    """
    thick, each = depth(volume, axis, outputs), slice_bytes(volume, axis, outputs)
    held = (2 * BUDGET if memory is None else memory) // max(2 * each, 1)
    chunk = chunk_shape_of(volume)[volume.axes.index(axis)]
    wanted = min(lcm(thick, chunk), max(MOST, thick))
    return max(min(wanted, held // thick * thick), thick)


def held_bytes(volume: Volume, axis: str, outputs: int, thick: int) -> int:
    """Return an upper bound of the memory that slabs take: they, and sums of earlier axes.

    Where the next one is read and the last one written meanwhile, twice as much is held.
    """
    return 2 * thick * slice_bytes(volume, axis, outputs)


def least_held(volume: Volume, axis: str, outputs: int) -> int:
    """Return ``held_bytes`` of the thinnest slabs there are."""
    return held_bytes(volume, axis, outputs, depth(volume, axis, outputs))


def cut(volume: Volume, axis: str, thick: int) -> list[Slab]:
    """Return the slabs of ``thick`` slices along an axis; the last one may be thinner."""
    at = volume.axes.index(axis)
    length = volume.shape[at]
    return [Slab(axis, at, start, min(start + thick, length)) for start in range(0, length, thick)]


@dataclass(frozen=True)
class LoadedBox(VolumeView):
    """A volume of which one box is in memory; nothing else of it can be read."""

    box: Region
    pixels: NDArray[Any]

    @classmethod
    def of(cls, volume: Volume, slab: Slab, context: int) -> LoadedBox:
        """Read a slab with its neighbours on either side, once."""
        first, last = slab.start - context, slab.stop + context
        wide = Slab(slab.axis, slab.at, max(first, 0), last)
        box = wide.within(Region.whole(volume.shape))
        return cls(volume, box, _slice_by_slice(volume.read(box), slab.at + 1))

    def plane(self, slab: Slab, index: int, context: int) -> Volume:
        """Return a slice of a slab as an image; without neighbours what is held of it, at once."""
        if context:
            return Plane(self, slab.axis, index, context)
        at: tuple[Any, ...] = (*[slice(None)] * (slab.at + 1), index - self.box.start[slab.at])
        pixels: NDArray[Any] = self.pixels[at]
        axes, name = self.axes.replace(slab.axis, ""), f"{self.name}[{slab.axis}={index}]"
        return ArrayVolume(pixels, axes, name)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of what is held."""
        inside = region.shift(tuple(-a for a in self.box.start))
        if not inside.within(self.box.shape):
            raise ValueError(f"{self.name}: {region} leaves what is held, {self.box}")
        return self.pixels[(slice(None), *inside.slices)]


def _slice_by_slice(pixels: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return equal pixels, those of each slice side by side, where an axis is the last in memory.

    Else a slice is read with stretches of one pixel, each of which costs as much as 64 bytes.
    """
    last = axis == pixels.ndim - 1 and pixels.flags.c_contiguous and pixels.shape[axis] > 1
    if not last or pixels.itemsize not in _UNSIGNED:
        return pixels
    count = pixels.shape[axis]
    lines = pixels.reshape(-1, count).view(_UNSIGNED[pixels.itemsize])
    turned = np.asarray(cv2.transpose(lines)).view(pixels.dtype)
    return np.moveaxis(turned.reshape(count, *pixels.shape[:axis]), 0, axis)


class Answers:
    """Answers of slabs in memory that is taken once, or twice where they are kept for a while.

    The answers of a slab are overwritten by the next, after ``keep`` by the next but one.
    """

    def __init__(self, volume: Volume, context: int) -> None:
        """Take no memory yet; ``context`` neighbours on either side become channels."""
        self._volume, self._context = volume, context
        self._memory = [np.empty(0, np.float32)] * 2
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="lamina-read")
        self._ahead: tuple[Slab, Future[LoadedBox]] | None = None

    def of(
        self,
        job: TiledInference,
        slab: Slab,
        tick: Callable[[], object],
        after: Slab | None = None,
    ) -> NDArray[np.float32]:
        """Return the answers of all slices, (t, K, h, w) float32.

        Args:
            job: Who answers.
            slab: Which slices.
            tick: Follows each slice.
            after: The slab that comes next, where it is known; it is read meanwhile.
        """
        held = self._read(slab)
        if after is not None:
            read = self._reader.submit(LoadedBox.of, self._volume, after, self._context)
            self._ahead = after, read
        planes = [held.plane(slab, index, self._context) for index in range(slab.start, slab.stop)]
        return answer_images(job, planes, self._room, of=self._volume.shape[slab.at], tick=tick)

    def keep(self) -> None:
        """Let the answers of the last slab be until those of the next but one."""
        self._memory.reverse()

    def _read(self, slab: Slab) -> LoadedBox:
        """Return a slab, read ahead or now; never by two threads at once."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == slab:
            return ahead[1].result()
        if ahead is not None:
            wait([ahead[1]])
        return LoadedBox.of(self._volume, slab, self._context)

    def _room(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if prod(shape) > self._memory[0].size:
            self._memory[0] = np.empty(prod(shape), np.float32)
        return self._memory[0][: prod(shape)].reshape(shape)


def as_stored(answers: NDArray[np.float32], slab: Slab) -> NDArray[np.float32]:
    """Return answers (t, K, h, w) as a view (K, *S) in the order of the volume's axes."""
    return np.moveaxis(answers, 0, slab.at + 1)


def parts(volume: Volume, axes: str, outputs: int) -> Iterator[tuple[int, Slab]]:
    """Yield every slab of every axis with the number of the axis, in order."""
    for number, axis in enumerate(axes):
        for slab in cut(volume, axis, thickness(volume, axis, outputs)):
            yield number, slab
