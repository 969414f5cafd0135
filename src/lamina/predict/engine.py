"""The one engine of validation, out-of-fold and final prediction.

An image gets one lattice of tiles. Every tile is looked at in every view by every member, and
its answer is added into one array with weights that already sum to 1: there is no map of
weights and no final division. Tiles are added in the order of the lattice, and batches have
one size (the last is padded), so that an answer does not depend on its neighbours.

Letters: B tiles of a batch, C channels in, K outputs, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.frame import Frame
from lamina.data.normalise import AnyNormalise
from lamina.errors import DataError, RecipeError, ResourceError
from lamina.geometry.tiles import TileGrid
from lamina.geometry.view import members as views_of
from lamina.predict.blend import Sum
from lamina.predict.memory import LARGEST_BATCH, batch_size, is_out_of_memory, release
from lamina.progress import say
from lamina.recipe.recipe import Predict, Recipe
from lamina.task import Task
from lamina.volume import Plane, Volume

Array = NDArray[np.float32]
Kind = Literal["binary", "multilabel", "multiclass", "restore"]


@dataclass(frozen=True)
class Member:
    """A trained network with the normalisation it was trained with."""

    network: nn.Module
    normalise: AnyNormalise
    weight: float = 1.0
    """Share in the mean over members, relative to the others; above 0."""


def activate(kind: Kind, logits: Tensor) -> Tensor:
    """Return probabilities of logits (B, K, H, W): sigmoid, softmax over K; values of restore."""
    if kind == "restore":
        return logits
    return logits.softmax(1) if kind == "multiclass" else logits.sigmoid()


def predict_image(
    volume: Volume,
    members: Sequence[Member],
    frame: Frame,
    task: Task,
    options: Predict,
    *,
    tile: tuple[int, int],
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int = LARGEST_BATCH,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members for a two-axis volume of any size and type.

    Args:
        volume: The image; it is read a tile at a time.
        members: At least one; their networks map (B, C, h, w) to (B, K, h, w).
        frame: How regions become network inputs.
        task: Its kind decides the activation.
        options: Overlap, window, views and means.
        tile: Rows and columns of a tile, in pixels.
        device: Where the networks run; they are moved there.
        precision: Type for autocast, or None for float32.
        batch: Largest number of tiles per forward pass; halved where memory runs out.
        out: (K, H, W) float32 to write to; None: a new array.

    Returns:
        (K, H, W) float32: probabilities in 0..1, or values for restore.

    Raises:
        ResourceError: a single tile does not fit the memory.
    """
    job = _Job(tuple(members), frame, task.kind, options, tile, device, precision, batch)
    with _answering(job):
        return job.image(volume, out)


def predict_case(
    case: Case | Volume,
    members: Sequence[Member],
    recipe: Recipe,
    *,
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int | None = None,
    progress: Callable[[], None] | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members for a whole case.

    A volume of three axes is predicted slice by slice along each of ``recipe.frame.slices.axes``;
    the answers of the axes are averaged as probabilities.

    Args:
        case: A case, or its image alone.
        members: As for ``predict_image``.
        recipe: Frame, task kind, tile and prediction options.
        device: Where the networks run.
        precision: Type for autocast, or None.
        batch: Tiles per forward pass; None: the recipe's, or up to 8.
        progress: Called after each image or slice.
        out: (K, *S) float32 to write to; None: a new array.

    Returns:
        (K, *S) float32, S the shape of the case.

    Raises:
        RecipeError: the case has three axes and the recipe does not say how to cut them.
        DataError: the case lacks an axis that the recipe cuts, or cannot be read.
        ResourceError: a single tile does not fit the memory.
    """
    volume = case.image if isinstance(case, Case) else case
    size = batch or recipe.predict.batch or LARGEST_BATCH
    kind, tile = recipe.task.kind, recipe.tile
    job = _Job(tuple(members), recipe.frame, kind, recipe.predict, tile, device, precision, size)
    tick = progress or _nothing
    with _answering(job):
        if len(volume.axes) == 2:
            answer = job.image(volume, out)
            tick()
            return answer
        return _slices(job, volume, out, tick)


@dataclass
class _Job:
    members: tuple[Member, ...]
    frame: Frame
    kind: Kind
    options: Predict
    tile: tuple[int, int]
    device: torch.device
    precision: torch.dtype | None
    batch: int

    def sum(self, grid: TileGrid, outputs: int, out: NDArray[np.float32] | None) -> Sum:
        return Sum(grid, self.options.window, outputs, device=self.device, out=out)

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


def _image(job: _Job, volume: Volume, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
    mean = job.options.mean_of
    late = mean.tiles == "logit"  # the sum over tiles is one of logits
    apart = late and mean.members == "probability" and len(job.members) > 1
    steps = tuple(max(1, round(n * (1 - job.options.overlap))) for n in job.tile)
    grid = TileGrid(tuple(volume.shape), job.tile, steps)
    whole = sum(member.weight for member in job.members)
    total: Sum | None = None
    for member in job.members:
        share = member.weight / whole
        own: Sum | None = None
        for number, answer in enumerate(_answers(job, member, volume, grid)):
            if total is None:
                total = job.sum(grid, len(answer), out)
            if own is None:
                own = job.sum(grid, len(answer), None) if apart else total
            own.add(number, answer, 1.0 if apart else share)
        if apart and own is not None and total is not None:
            total.values.add_(activate(job.kind, own.values[None])[0], alpha=share)
    if total is None:
        raise ValueError("an answer needs at least one member")
    if late and not apart:
        total.values.copy_(activate(job.kind, total.values[None])[0])
    return total.result()


def _answers(job: _Job, member: Member, volume: Volume, grid: TileGrid) -> Iterator[Tensor]:
    """Yield the mean over views (K, h, w) of each tile, float32, in the order of the lattice."""
    count = len(grid)
    size = batch_size(count, job.batch)
    shift, factor = job.frame.factors(volume, member.normalise)
    shape = (size, job.frame.inputs, *grid.tile)
    stack = torch.zeros(shape).to(memory_format=torch.channels_last)
    places, filled = stack.numpy(), 0
    for number, region in enumerate(grid):
        _lay(places[filled], job.frame.read(volume, region), shift, factor)
        filled += 1
        if filled == size or number == count - 1:
            stack[filled:].zero_()
            yield from _forward(job, member.network, stack.to(job.device))[:filled]
            filled = 0


def _lay(place: Array, pixels: NDArray[Any], shift: Array, factor: Array) -> None:
    """Put (x - shift) * factor into the batch: what ``Frame.look`` returns, without the copy."""
    if shift.any():
        np.subtract(pixels, shift[:, None, None], out=place, dtype=np.float32)
    else:
        np.copyto(place, pixels, casting="same_kind")
    if (factor != 1).any():
        place *= factor[:, None, None]


def _forward(job: _Job, network: nn.Module, tiles: Tensor) -> Tensor:
    """Return the mean over views (B, K, h, w) of a batch: float32, probabilities where due."""
    mean = job.options.mean_of
    total: Tensor | None = None
    for view, share in views_of(job.options.views):
        seen = view.see(tiles).contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            job.device.type, dtype=job.precision, enabled=job.precision is not None
        ):
            logits = network(seen)
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


def _slices(
    job: _Job, volume: Volume, out: NDArray[np.float32] | None, tick: Callable[[], None]
) -> NDArray[np.float32]:
    slices = job.frame.slices
    if slices is None:
        raise RecipeError(
            f"{volume.name}: has axes '{volume.axes}', and the recipe is for images; set "
            "frame.slices, such as -s frame.slices.axes=z"
        )
    share = np.float32(1 / len(slices.axes))
    for axis in slices.axes:
        if axis not in volume.axes:
            raise DataError(
                f"{volume.name}: has axes '{volume.axes}', and frame.slices names '{axis}'; "
                "set frame.slices.axes to match"
            )
        at = volume.axes.index(axis)
        plane: NDArray[np.float32] | None = None  # slices of another axis have another shape
        for index in range(volume.shape[at]):
            plane = job.image(Plane(volume, axis, index, slices.context), plane)
            if out is None:
                out = np.empty((len(plane), *volume.shape), np.float32)
            place = out[(slice(None),) * (at + 1) + (index,)]
            if axis == slices.axes[0]:
                np.multiply(plane, share, out=place)
            else:
                place += plane * share
            tick()
    if out is None:
        raise RecipeError("frame.slices.axes is empty; name at least one axis, such as z")
    return out


@contextmanager
def _answering(job: _Job) -> Iterator[None]:
    """Put the networks into evaluation mode without gradients, and back as they were."""
    before = []
    for member in job.members:
        before += [(module, module.training) for module in member.network.modules()]
        member.network.to(job.device).eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in before:
            module.training = training


def _nothing() -> None:
    pass
