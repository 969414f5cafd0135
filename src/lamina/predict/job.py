"""How one image is answered: a lattice of tiles for each member, added into one array.

Letters: B tiles of a batch, C channels in, K outputs, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.frame import Frame
from lamina.data.normalise import AnyNormalise
from lamina.data.resized import Resized, resample
from lamina.errors import ResourceError
from lamina.geometry.tiles import TileGrid
from lamina.geometry.view import TURNS
from lamina.geometry.view import members as views_of
from lamina.predict.blend import Sum, Weights
from lamina.predict.means import POWERS, Kind, activate, rooted
from lamina.predict.memory import batch_size, is_out_of_memory, release
from lamina.progress import say
from lamina.recipe.recipe import Predict
from lamina.volume import ArrayVolume, Volume, read_all

Array = NDArray[np.float32]

_LATTICES = 8


@dataclass(frozen=True)
class Member:
    """A trained network with the normalisation it was trained with."""

    network: nn.Module
    normalise: AnyNormalise
    weight: float = 1.0
    """Share in the mean over members, relative to the others; above 0."""

    frame: Frame | None = None
    """How it looks at a region, with the inputs of the others; None: as the job says."""

    tile: tuple[int, int] | None = None
    """Rows and columns of its tiles; None: as the job says."""


@dataclass
class Job:
    """Who answers, and how; ``batch`` shrinks where memory runs out."""

    members: tuple[Member, ...]
    frame: Frame
    kind: Kind
    options: Predict
    tile: tuple[int, int]
    device: torch.device
    precision: torch.dtype | None
    batch: int
    logits: bool = False
    """Whether the mean over members, one of logits, is returned as it is; else activated."""

    weights: dict[TileGrid, Weights] = field(default_factory=dict, repr=False)
    """Windows of the lattices in use: slices of a volume have them in common."""

    def grid(self, member: Member, volume: Volume) -> TileGrid:
        """Return the lattice of a member's tiles over an image."""
        tile = member.tile or self.tile
        steps = tuple(max(1, round(n * (1 - self.options.overlap))) for n in tile)
        centred = (member.frame or self.frame).pad == "around"
        return TileGrid(tuple(volume.shape), tile, steps, centred)

    def resize(self, member: Member, volume: Volume) -> tuple[int, int] | None:
        """Return the size that a member sees an image at; None: as it is stored."""
        shape = (member.frame or self.frame).resize
        return None if shape == tuple(volume.shape) else shape

    def seen(self, member: Member, volume: Volume) -> Volume:
        """Return an image as a member sees it; resized, it is held in memory as a whole."""
        shape = self.resize(member, volume)
        if shape is None:
            return volume
        return ArrayVolume(read_all(Resized(volume, shape, smooth=True)), volume.axes, volume.name)

    def apart(self, volume: Volume) -> bool:
        """Whether each member needs an array of its own before it joins the others."""
        if any(self.resize(member, volume) for member in self.members):
            return True
        if len(self.members) == 1:
            return False
        mean = self.options.mean_of
        late = mean.tiles == "logit" and mean.members != "logit"
        tiles = {member.tile or self.tile for member in self.members}
        return late or len(tiles) > 1 or POWERS.get(mean.members, 1) > 1

    def sum(self, grid: TileGrid, outputs: int, out: NDArray[np.float32] | None) -> Sum:
        """Return an empty sum over a lattice."""
        window, device = self.options.window, self.device
        if grid not in self.weights:
            if len(self.weights) == _LATTICES:
                self.weights.clear()
            self.weights[grid] = Weights(grid, window, device)
        return Sum(grid, window, outputs, device=device, out=out, weights=self.weights[grid])

    def image(self, volume: Volume, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Predict, with ever smaller batches where memory runs out (M05)."""
        while True:
            try:
                return _image(self, volume, out)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch == 1:
                    raise ResourceError(
                        f"{volume.name}: one tile of {self.tile[0]} x {self.tile[1]} pixels does "
                        f"not fit the memory of {self.device}; set a smaller predict.tile\n"
                        f"  {error}"
                    ) from error
            self.batch //= 2
            release()
            say(f"{volume.name}: out of memory, going on with {self.batch} tiles per forward pass")


def _image(job: Job, volume: Volume, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
    mean, apart = job.options.mean_of, job.apart(volume)
    late = mean.tiles == "logit"  # the sum over tiles is one of logits
    pooled = mean.members == "logit"  # and so is that over members
    whole = sum(member.weight for member in job.members)
    total: Sum | None = None
    for member in job.members:
        share, seen = member.weight / whole, job.seen(member, volume)
        grid = job.grid(member, seen)
        own: Sum | None = None
        for number, answer in enumerate(_answers(job, member, seen, grid)):
            if total is None:
                total = job.sum(job.grid(member, volume), len(answer), out)
            if own is None:
                own = job.sum(grid, len(answer), None) if apart else total
            own.add(number, answer, 1.0 if apart else share)
        if apart and own is not None and total is not None:
            values = own.values
            if late and not pooled:
                values = activate(job.kind, values[None])[0]
            values = _at_shape(values, total.values.shape[1:])
            total.values.add_(values.pow(POWERS.get(mean.members, 1)), alpha=share)
    if total is None:
        raise ValueError("an answer needs at least one member")
    _close(job, total.values, apart=apart)
    return total.result()


def _close(job: Job, values: Tensor, *, apart: bool) -> None:
    """Turn the sum over members into the answer, in place."""
    mean = job.options.mean_of
    if mean.tiles == "logit" and (mean.members == "logit" or not apart):
        if not job.logits:
            values.copy_(activate(job.kind, values[None])[0])
    elif apart and mean.members != "logit":
        rooted(job.kind, values, mean.members)


def _at_shape(values: Tensor, shape: torch.Size) -> Tensor:
    """Return a map (K, h, w) at the size of the image, bilinear; an equal one as it is."""
    if values.shape[1:] == shape:
        return values
    there = torch.from_numpy(resample(values.cpu().numpy(), shape))
    return there.to(values.device)


def _answers(job: Job, member: Member, volume: Volume, grid: TileGrid) -> Iterator[Tensor]:
    """Yield the mean over views (K, h, w) of each tile, float32, in the order of the lattice."""
    count = len(grid)
    size, frame = batch_size(count, job.batch), member.frame or job.frame
    shift, factor = frame.factors(volume, member.normalise)
    shape = (size, frame.inputs, *grid.tile)
    stack = torch.zeros(shape).to(memory_format=torch.channels_last)
    places, filled = stack.numpy(), 0
    for number, region in enumerate(grid):
        _lay(places[filled], frame.read(volume, region), shift, factor)
        filled += 1
        if filled == size or number == count - 1:
            stack[filled:].zero_()
            yield from _forward(job, member, stack.to(job.device))[:filled]
            filled = 0


def _lay(place: Array, pixels: NDArray[Any], shift: Array, factor: Array) -> None:
    """Put (x - shift) * factor into the batch: what ``Frame.look`` returns, without the copy."""
    if shift.any():
        np.subtract(pixels, shift[:, None, None], out=place, dtype=np.float32)
    else:
        np.copyto(place, pixels, casting="same_kind")
    if (factor != 1).any():
        place *= factor[:, None, None]


def _forward(job: Job, member: Member, tiles: Tensor) -> Tensor:
    """Return the mean over views (B, K, h, w) of a batch: float32, probabilities where due."""
    mean = job.options.mean_of
    total: Tensor | None = None
    turn = TURNS[(member.frame or job.frame).turn]
    for straight, share in views_of(job.options.views):
        view = straight.then(turn)
        seen = view.see(tiles).contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            job.device.type, dtype=job.precision, enabled=job.precision is not None
        ):
            logits = member.network(seen)
        answer = logits.float()
        if mean.views == "probability":
            answer = activate(job.kind, answer)
        answer = view.undo(answer)
        if share == 1:
            total = answer
        else:
            total = answer * share if total is None else total.add_(answer, alpha=share)
    if total is None:
        raise ValueError("a group of views is never empty")
    if mean.views == "logit" and mean.tiles == "probability":
        return activate(job.kind, total)
    return total
