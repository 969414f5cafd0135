"""The one engine of validation, out-of-fold and final prediction.

An image gets one lattice of tiles; members with tiles of another size get their own. Every tile
is looked at in every view by every member, and its answer is added into one array with weights
that already sum to 1: there is no map of weights and no final division. Tiles are added in the
order of the lattice, and batches have one size (the last is padded), so that an answer does not
depend on its neighbours.

Letters: B tiles of a batch, C channels in, K outputs, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.frame import Frame
from lamina.errors import DataError, RecipeError
from lamina.predict.job import Job, Member
from lamina.predict.means import activate
from lamina.predict.memory import LARGEST_BATCH
from lamina.recipe.recipe import Predict, Recipe
from lamina.task import Task
from lamina.volume import Plane, Volume

Array = NDArray[np.float32]

__all__ = ["Member", "activate", "predict_case", "predict_image"]


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
    job = Job(tuple(members), frame, task.kind, options, tile, device, precision, batch)
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
    job = Job(tuple(members), recipe.frame, kind, recipe.predict, tile, device, precision, size)
    tick = progress or _nothing
    with _answering(job):
        if len(volume.axes) == 2:
            answer = job.image(volume, out)
            tick()
            return answer
        return _slices(job, volume, out, tick)


def _slices(
    job: Job, volume: Volume, out: NDArray[np.float32] | None, tick: Callable[[], None]
) -> NDArray[np.float32]:
    slices = job.frame.slices
    if slices is None:
        raise RecipeError(
            f"{volume.name}: has axes '{volume.axes}', and the recipe is for images; train "
            "it with -s frame.slices.axes=z, or predict its slices as images"
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
def _answering(job: Job) -> Iterator[None]:
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
