"""Images answered in memory: a lattice of tiles for each member, added into one array."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.views.resampling.resampled import Part, at_source
from lamina.data.views.resized import resample
from lamina.geometry.region import Region
from lamina.prediction.tiling.averaging import (
    POWERS,
    activate,
    calibrate,
    is_calibrated,
    power_mean,
)
from lamina.prediction.tiling.blend import Sum
from lamina.prediction.tiling.forward import stream_answers
from lamina.prediction.tiling.memory import batch_size
from lamina.prediction.tiling.tiled_inference import Member, MemberTiles, TiledInference
from lamina.prediction.tiling.valid_tiles import tiles_inside
from lamina.result.calibration import Calibration
from lamina.volume import Volume, read_all

Room = Callable[[tuple[int, ...]], NDArray[np.float32]]
"""Returns a float32 array of a shape (t, K, *S): t images of sides S, K outputs."""

_Place = Callable[[int, int], NDArray[np.float32]]
"""Returns where the answer (K, *S) of the image with a number goes, told K."""


def answer_image(
    job: TiledInference,
    volume: Volume,
    out: NDArray[np.float32] | None = None,
    valid: Volume | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members (K, *S), with smaller batches where memory runs out.

    Args:
        job: Who answers, and how; its batch shrinks (M05).
        volume: Of as many axes as the frame sees.
        out: Where to write; None: a new array.
        valid: Answer only where it is not 0; None: everywhere.

    Raises:
        ResourceError: a single tile does not fit the memory.
    """

    def room(shape: tuple[int, ...]) -> NDArray[np.float32]:
        return np.empty(shape, np.float32) if out is None else out[None]

    prob: NDArray[np.float32] = answer_images(job, [volume], room, valid=valid)[0]
    if valid is not None:
        prob[:, read_all(valid)[0] == 0] = 0
    return prob


def answer_images(
    job: TiledInference,
    images: Sequence[Volume],
    room: Room,
    *,
    valid: Volume | None = None,
    of: int | None = None,
    tick: Callable[[], object] | None = None,
) -> NDArray[np.float32]:
    """Return the mean answers of all members for images of one shape, which share batches.

    Args:
        job: Who answers, and how; its batch shrinks (M05).
        images: At least one, of as many axes as the frame sees.
        room: Where the answers go.
        valid: Tiles where it is 0 are left out; None: none are.
        of: How many images there are in all, of which these are some. The size of a batch follows
            from it, so that answers do not depend on which images are answered together.
        tick: Called after each image.

    Returns:
        (t, K, *S) float32, which ``room`` returned.

    Raises:
        ResourceError: a single tile does not fit the memory.
    """
    out = np.empty((0,), np.float32)

    def place(index: int, outputs: int) -> NDArray[np.float32]:
        nonlocal out
        if index == 0:
            out = room((len(images), outputs, *images[0].shape))
        answer: NDArray[np.float32] = out[index]
        return answer

    every = [valid] * len(images)
    while True:
        try:
            _Together(job, images, every, place).answer(of or len(images), tick)
            return out
        except (RuntimeError, MemoryError) as error:
            job.shrink(images[0].name, error)


def answer_gathered(
    job: TiledInference, images: Sequence[Volume], valid: Sequence[Volume | None]
) -> list[NDArray[np.float32]]:
    """Return the mean answers of images of any shapes, whose tiles fill forward passes together.

    Every forward pass has ``job.batch`` tiles, the last filled up with zeros, so that the answer
    of an image does not depend on those that are answered with it.

    Args:
        job: Who answers, and how; its batch shrinks (M05).
        images: At least one, of as many axes as the frame sees, all in the same order.
        valid: Answer an image only where its own is not 0; None: everywhere.

    Returns:
        (K, *S) float32 of each image, as ``answer_image`` but for rounding.

    Raises:
        ResourceError: a single tile does not fit the memory.
    """
    answers: list[NDArray[np.float32]] = []

    def place(index: int, outputs: int) -> NDArray[np.float32]:
        answers[index:] = [np.empty((outputs, *images[index].shape), np.float32)]
        return answers[index]

    while True:
        try:
            _Together(job, images, valid, place).answer(None, None)
            break
        except (RuntimeError, MemoryError) as error:
            job.shrink(images[0].name, error)
    for answer, counts in zip(answers, valid, strict=True):
        if counts is not None:
            answer[:, read_all(counts)[0] == 0] = 0
    return answers


class _Together:
    """Images whose tiles share batches, answered by one member after another."""

    def __init__(
        self,
        job: TiledInference,
        images: Sequence[Volume],
        valid: Sequence[Volume | None],
        place: _Place,
    ) -> None:
        self._job, self._images, self._valid, self._place = job, images, valid, place
        self._separate: list[bool] = []
        self._totals: list[Sum] = []

    def answer(self, of: int | None, tick: Callable[[], object] | None) -> None:
        """Write the answers to their places.

        Args:
            of: Images in all, all of one shape, from which the batch follows; None: it is that of
                the job, whatever the images.
            tick: Called after each image.
        """
        for member in self._job.members:
            for _ in self._add(member, of):
                if tick is not None and member is self._job.members[-1]:
                    tick()
        if not self._totals:
            raise ValueError("an answer needs at least one member")
        for total, separate in zip(self._totals, self._separate, strict=True):
            close(self._job, total.values, separate=separate)
            total.result()

    def _add(self, member: Member, of: int | None) -> Iterator[int]:
        """Add the answers of a member; yield the number of each image when that is done."""
        job = self._job
        waiting: deque[tuple[int, MemberTiles, int, bool]] = deque()
        images = self._tiles(member)
        first = next(images)
        size = job.batch if of is None else batch_size(of * len(first[2]), job.batch)

        def pairs() -> Iterator[tuple[MemberTiles, int]]:
            for index, tiles, numbers in chain([first], images):
                for number in numbers:
                    waiting.append((index, tiles, number, number == numbers[-1]))
                    yield tiles, number

        own: Sum | None = None
        for answer in stream_answers(job, pairs(), size):
            index, tiles, number, last = waiting.popleft()
            total = self._total(index, member, tiles, len(answer))
            if not self._separate[index]:
                total.add(number, answer, tiles.share)
            else:
                own = job.sum(tiles.grid, len(answer)) if own is None else own
                own.add(number, answer)
                if last:
                    join(job, total.values, own.values, tiles.share, member.calibration)
                    own = None
            if last:
                yield index

    def _tiles(self, member: Member) -> Iterator[tuple[int, MemberTiles, list[int]]]:
        """Yield each image with a member's tiles over it, and the numbers of those to answer."""
        job = self._job
        tiles: MemberTiles | None = None
        numbers, area = list[int](), None
        for index, (image, valid) in enumerate(zip(self._images, self._valid, strict=True)):
            shape = job.seen_shape(member, image)
            stored, before = shape == tuple(image.shape), tiles
            if stored and before is not None and _are_alike(before.image, image):
                tiles = job.alike(before, image)
            else:
                tiles = job.tiles(member, image)
            if before is None or valid is not area or before.grid != tiles.grid:
                numbers, area = tiles_inside(tiles.grid, valid if stored else None), valid
            yield index, tiles, numbers

    def _total(self, index: int, member: Member, tiles: MemberTiles, outputs: int) -> Sum:
        """Return the sum of an image; images come in order, and the network says K."""
        if index == len(self._totals):
            job, image = self._job, self._images[index]
            self._separate.append(job.separate(image))
            grid = tiles.grid
            if self._separate[index]:
                grid = job.grid(member, tuple(image.shape), image.axes)
            self._totals.append(job.sum(grid, outputs, self._place(index, outputs)))
        return self._totals[index]


def _are_alike(before: Volume, image: Volume) -> bool:
    return tuple(before.shape) == tuple(image.shape) and before.axes == image.axes


def join(
    job: TiledInference,
    total: Tensor,
    own: Tensor,
    share: float,
    curves: Sequence[Calibration] = (),
    part: Part | None = None,
) -> None:
    """Add what a member answers by itself (K, *s) to the sum over members (K, *S).

    Args:
        job: Means and kind.
        total: The sum, or a part of it.
        own: What is added; of a resampled volume what this part needs.
        share: Its share in the mean over members.
        curves: What its probabilities go through first.
        part: Which part, of a resampled volume; None: all.
    """
    mean = job.options.mean_of
    if mean.tiles == "logit" and mean.members != "logit":
        own = activate(job.kind, own[None])[0]
    if is_calibrated(curves):
        own = calibrate(job.kind, own, curves, logits=mean.members == "logit")
    own = _at_shape(own, total.shape[1:], part)
    if job.options.rounding == "uint8":
        own = (own * 255).clamp_(0, 255).trunc_().div_(255)
    total.add_(own.pow(POWERS.get(mean.members, 1)), alpha=share)


def close(job: TiledInference, values: Tensor, *, separate: bool) -> None:
    """Turn the sum over members into the answer, in place.

    Args:
        job: Means and kind.
        values: (K, H, W), or some rows of it.
        separate: Whether members came by ``join``.
    """
    mean = job.options.mean_of
    if mean.tiles == "logit" and (mean.members == "logit" or not separate):
        if not job.logits:
            values.copy_(activate(job.kind, values[None])[0])
    elif separate and mean.members != "logit":
        power_mean(job.kind, values, mean.members)


def _at_shape(values: Tensor, shape: torch.Size, part: Part | None) -> Tensor:
    """Return a map (K, *s) at the shape of the image or the planes, linear; an equal one as it is.

    Args:
        values: The map, or as much of it as ``part`` says.
        shape: What is wanted.
        part: Of a resampled volume; None: all.
    """
    if part is None and values.shape[1:] == shape:
        return values
    there = values.cpu().numpy()
    if len(shape) == 2:
        there = resample(there, shape)
    else:
        every = Part(Region.whole(shape), tuple(shape), (0, 0, 0), tuple(values.shape[1:]))
        there = at_source(there, part or every)
    return torch.from_numpy(there).to(values.device)
