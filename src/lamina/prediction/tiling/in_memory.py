"""Images answered in memory: a lattice of tiles for each member, added into one array."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.views.resampling.resampled import Part, at_source
from lamina.data.views.resized import resample
from lamina.geometry.tiling.grid import TileGrid
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
    while True:
        try:
            return _Together(job, images, room, valid).answered(of or len(images), tick)
        except (RuntimeError, MemoryError) as error:
            job.shrink(images[0].name, error)


class _Together:
    """Images of one shape, answered by one member after another."""

    def __init__(
        self, job: TiledInference, images: Sequence[Volume], room: Room, valid: Volume | None
    ) -> None:
        self._job, self._images, self._room, self._valid = job, images, room, valid
        self._separate = job.separate(images[0])
        self._totals: list[Sum] = []
        self._out = np.empty(0, np.float32)

    def answered(self, of: int, tick: Callable[[], object] | None) -> NDArray[np.float32]:
        """Return the answers, ``of`` that many images in all."""
        for member in self._job.members:
            for _ in self._add(member, of):
                if tick is not None and member is self._job.members[-1]:
                    tick()
        if not self._totals:
            raise ValueError("an answer needs at least one member")
        for total in self._totals:
            close(self._job, total.values, separate=self._separate)
            total.result()
        return self._out

    def _add(self, member: Member, of: int) -> Iterator[int]:
        """Add the answers of a member; yield the number of each image when that is done."""
        job, image = self._job, self._images[0]
        shape = job.seen_shape(member, image)
        stored = shape == tuple(image.shape)
        numbers = tiles_inside(job.grid(member, shape, image.axes), self._valid if stored else None)
        waiting: deque[tuple[int, MemberTiles, int]] = deque()

        def pairs() -> Iterator[tuple[MemberTiles, int]]:
            tiles: MemberTiles | None = None
            for index, image in enumerate(self._images):
                if tiles is None or not stored:
                    tiles = job.tiles(member, image)
                else:
                    tiles = job.alike(tiles, image)
                for number in numbers:
                    waiting.append((index, tiles, number))
                    yield tiles, number

        own: Sum | None = None
        for answer in stream_answers(job, pairs(), batch_size(of * len(numbers), job.batch)):
            index, tiles, number = waiting.popleft()
            last = number == numbers[-1]
            if not self._separate:
                self._total(index, tiles.grid, len(answer)).add(number, answer, tiles.share)
            else:
                own = job.sum(tiles.grid, len(answer)) if own is None else own
                own.add(number, answer)
                if last:
                    total = self._total(
                        index, job.grid(member, tuple(image.shape), image.axes), len(answer)
                    )
                    join(job, total.values, own.values, tiles.share, member.calibration)
                    own = None
            if last:
                yield index

    def _total(self, index: int, grid: TileGrid, outputs: int) -> Sum:
        """Return the sum of an image; images come in order, and the network says K."""
        if not self._totals:
            self._out = self._room((len(self._images), outputs, *self._images[0].shape))
        if index == len(self._totals):
            self._totals.append(self._job.sum(grid, outputs, self._out[index]))
        return self._totals[index]


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
        total: The sum, or some planes of it.
        own: What is added; of a resampled volume what these planes need.
        share: Its share in the mean over members.
        curves: What its probabilities go through first.
        part: The planes of a resampled volume; None: all.
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
        values: The map, or the planes of it that ``part`` says.
        shape: What is wanted.
        part: Of a resampled volume; None: all.
    """
    if part is None and values.shape[1:] == shape:
        return values
    there = values.cpu().numpy()
    if len(shape) == 2:
        there = resample(there, shape)
    else:
        every = Part(0, there.shape[1], range(shape[0]), shape[0])
        there = at_source(there, tuple(shape[1:]), part or every)
    return torch.from_numpy(there).to(values.device)
