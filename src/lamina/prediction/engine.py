"""The one engine of validation, out-of-fold and final prediction.

An image, or a volume that is seen in blocks, gets one lattice of tiles; members with tiles of
another size get their own. Every tile is looked at in every view by every member, and its answer
is added into one array with weights that already sum to 1: there is no map of weights and no final
division. Tiles are added in the order of the lattice, and batches have one size (the last is
padded), so that an answer does not depend on its neighbours.

Letters: B tiles of a batch, C channels in, K outputs, H and W rows and columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.plan import Plan, plan, plan_blocks
from lamina.prediction.streaming.row_bands import is_large
from lamina.prediction.streaming.slabs import Answers, as_stored, check_axes, is_cut, parts
from lamina.prediction.streaming.units.columns import Seen
from lamina.prediction.streaming.units.ledger import Ledger
from lamina.prediction.streaming.units.of_case import thickness_of, units_of
from lamina.prediction.streaming.units.unit import Units, finish
from lamina.prediction.streaming.volume import activate_in_place
from lamina.prediction.tiling.averaging import activate
from lamina.prediction.tiling.in_memory import answer_gathered, answer_image
from lamina.prediction.tiling.memory import LARGEST_BATCH
from lamina.prediction.tiling.precision import same_arithmetic
from lamina.prediction.tiling.tiled_inference import Member, TiledInference
from lamina.recipe.recipe import Predict, Recipe
from lamina.task import Task
from lamina.volume import Plane, Volume

Array = NDArray[np.float32]

__all__ = [
    "Member",
    "Place",
    "Plan",
    "Units",
    "activate",
    "answering",
    "can_stream",
    "job_of",
    "plan_case",
    "predict_case",
    "predict_gathered",
    "predict_image",
    "stream_case",
    "units_of",
]


def predict_image(
    volume: Volume,
    members: Sequence[Member],
    frame: Frame,
    task: Task,
    options: Predict,
    *,
    tile: tuple[int, ...],
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int = LARGEST_BATCH,
    out: NDArray[np.float32] | None = None,
    valid: Volume | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members for an image, or a volume in blocks, of any size.

    Args:
        volume: Of as many axes as the frame sees; it is read a tile at a time.
        members: At least one; their networks map (B, C, *tile) to (B, K, *tile).
        frame: How regions become network inputs.
        task: Its kind decides the activation.
        options: Overlap, window, views and means.
        tile: Sides of a tile, in pixels: rows and columns, or z, y and x.
        device: Where the networks run; they are moved there.
        precision: Type for autocast, or None for float32.
        batch: Largest number of tiles per forward pass; halved where memory runs out.
        out: (K, *S) float32 to write to; None: a new array.
        valid: Answer only where it is not 0, and 0 elsewhere; tiles without such a pixel are
            skipped (INK-22). None: everywhere.

    Returns:
        (K, *S) float32 as the axes are stored: probabilities in 0..1, or values for restore.

    Raises:
        DataError: ``valid`` is not as large as the image.
        ResourceError: a single tile does not fit the memory.
    """
    job = TiledInference(tuple(members), frame, task.kind, options, tile, device, precision, batch)
    with answering(job):
        return answer_image(job, volume, out, valid)


def predict_case(
    case: Case | Volume,
    members: Sequence[Member],
    recipe: Recipe,
    *,
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int | None = None,
    fixed: bool = False,
    progress: Callable[[], None] | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members for a whole case.

    With ``predict.only_valid`` an image is answered only where the case says that pixels count.
    A volume is predicted in blocks where the frame sees three axes. Where it sees two, it is cut
    along each of ``recipe.frame.slices.axes``, and the answers of the axes are averaged as
    ``mean_of.axes`` says. The whole answer is in memory; ``stream_case`` writes the same to disk.

    Args:
        case: A case, or its image alone.
        members: As for ``predict_image``.
        recipe: Frame, task kind, tile and prediction options.
        device: Where the networks run.
        precision: Type for autocast, or None.
        batch: Tiles per forward pass; None: the recipe's, or up to 8.
        fixed: Whether running out of memory is an error; else the batch is halved.
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
    cut = is_cut(volume, recipe.frame)
    job = job_of(members, recipe, device, precision, batch, volume=cut, fixed=fixed)
    tick = progress or _nothing
    with answering(job):
        if not cut:
            answer = answer_image(job, volume, out, _area(case, recipe))
            tick()
            return answer
        return _slices(job, volume, out, tick)


def predict_gathered(
    cases: Sequence[Case],
    members: Sequence[Member],
    recipe: Recipe,
    *,
    device: torch.device,
    batch: int,
    precision: torch.dtype | None = None,
) -> list[NDArray[np.float32]]:
    """Return the mean answers of all members for images, whose tiles share forward passes.

    That saves time on a GPU, which a few tiles do not fill. Each pass has ``batch`` tiles, so that
    an answer does not depend on the other images; it is that of ``predict_case`` but for rounding.

    Args:
        cases: Images of any shapes, with their axes in one order.
        members: As for ``predict_image``.
        recipe: As for ``predict_case``.
        device: Where the networks run.
        batch: Tiles of every forward pass.
        precision: Type for autocast, or None.

    Returns:
        (K, *S) float32 of each.

    Raises:
        DataError: an image cannot be read.
        ResourceError: the batch does not fit the memory.
    """
    job = job_of(members, recipe, device, precision, batch, fixed=True)
    areas = [_area(case, recipe) for case in cases]
    with answering(job):
        return answer_gathered(job, [case.image for case in cases], areas)


def stream_case(
    case: Case | Volume,
    members: Sequence[Member],
    recipe: Recipe,
    *,
    place: Place,
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int | None = None,
    fixed: bool = False,
    memory: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the answer of ``predict_case`` to disk: by slabs of slices, or by bands.

    The memory it takes does not depend on the depth of a volume, or on the rows of an image. What
    an earlier run that was killed has finished is verified and kept.

    Args:
        case: As for ``predict_case``; an image is one that ``can_stream``.
        members: As for ``predict_image``.
        recipe: As for ``predict_case``; the names of its task are known.
        place: Where the answer and what leads to it are written.
        device: Where the networks run.
        precision: Type for autocast, or None.
        batch: Tiles per forward pass; None: the recipe's, or up to 8.
        fixed: Whether running out of memory is an error; else the batch is halved.
        memory: Bytes for slabs; None: 256 MiB. Bytes for bands of blocks, which are cut into
            columns where they need more; None: they are not. What was begun keeps its own.
        progress: Called with a number of slices, or of bands, that are done.

    Raises:
        RecipeError: the recipe does not say how to cut volumes.
        DataError: the volume lacks an axis that the recipe cuts, or cannot be read.
        ResourceError: a single tile does not fit the memory, or the disk is full.
    """
    whole = case if isinstance(case, Case) else Case(case.name, case.name, case)
    volume = whole.image
    cut = is_cut(volume, recipe.frame)
    job = job_of(members, recipe, device, precision, batch, volume=cut, fixed=fixed)
    thick = thickness_of(volume, recipe, place, memory, seen_by(job, volume))
    units = units_of(whole, recipe, place, thick)
    with answering(job):
        finish(units, Ledger(place.work, place.plan, thick), job, progress or _nothing)


def can_stream(shape: tuple[int, ...], frames: Iterable[Frame], outputs: int) -> bool:
    """Whether an image of this shape is large, and no frame resizes it as a whole."""
    return is_large(shape, outputs) and all(frame.resize is None for frame in frames)


def plan_case(
    volume: Volume,
    members: Sequence[Member],
    recipe: Recipe,
    *,
    device: torch.device,
    precision: torch.dtype | None = None,
    batch: int | None = None,
    place: Place,
    memory: int | None = None,
    thick: Sequence[int] | None = None,
) -> Plan:
    """Return what ``stream_case`` will take; one slice, or block, is predicted to tell how long.

    Args are those of ``stream_case``, and ``thick``, how thick its units are; None: as it will
    cut them.

    Raises:
        RecipeError: the recipe does not say how to cut volumes.
        DataError: the volume lacks an axis that the recipe cuts, or cannot be read.
    """
    if not is_cut(volume, recipe.frame):
        job = job_of(members, recipe, device, precision, batch)
        if thick is None:
            thick = thickness_of(volume, recipe, place, memory, seen_by(job, volume))
        with answering(job):
            return plan_blocks(job, volume, recipe.task.outputs, thick)
    job = job_of(members, recipe, device, precision, batch, volume=True)
    slices = check_axes(volume, recipe.frame.slices)
    axis = slices.axes[0]
    middle = volume.shape[volume.axes.index(axis)] // 2
    thick = thickness_of(volume, recipe, place, memory) if thick is None else thick
    streamed = plan(job, volume, slices, recipe.task.outputs, thick)
    begun = time.perf_counter()
    with answering(job):
        answer_image(job, Plane(volume, axis, middle, slices.context))
    return replace(streamed, seconds=(time.perf_counter() - begun) * streamed.slices)


def _area(case: Case | Volume, recipe: Recipe) -> Volume | None:
    """Return where a case is answered; None: everywhere."""
    return case.valid if isinstance(case, Case) and recipe.predict.only_valid else None


def job_of(
    members: Sequence[Member],
    recipe: Recipe,
    device: torch.device,
    precision: torch.dtype | None,
    batch: int | None,
    *,
    volume: bool = False,
    fixed: bool = False,
) -> TiledInference:
    """Return who answers a case, and how.

    Args:
        members: As for ``predict_image``.
        recipe: As for ``predict_case``.
        device: Where the networks run.
        precision: Type for autocast, or None.
        batch: Tiles per forward pass; None: the recipe's, or up to 8.
        volume: Whether the case is a volume that is cut into slices.
        fixed: Whether the batch never shrinks.
    """
    size = batch or recipe.predict.batch or LARGEST_BATCH
    kind, tile, options = recipe.task.kind, recipe.tile, recipe.predict
    job = TiledInference(tuple(members), recipe.frame, kind, options, tile, device, precision, size)
    job.logits, job.fixed = volume and options.mean_of.axes == "logit", fixed
    job.products, job.overlapped = recipe.precision, overlaps(device)
    return job


def seen_by(job: TiledInference, volume: Volume) -> list[Seen]:
    """Return how each member sees a volume in blocks; none where it is an image or cut."""
    if len(volume.axes) != 3 or job.frame.axes != 3:
        return []
    return [
        Seen(job.tile_of(member, volume.axes), job.seen_shape(member, volume))
        for member in job.members
    ]


def overlaps(device: torch.device) -> bool:
    """Whether slabs are read and written while a device computes.

    A GPU computes by itself; on a CPU it would take memory, and cores from those that compute.
    """
    return device.type != "cpu"


def _slices(
    job: TiledInference, volume: Volume, out: NDArray[np.float32] | None, tick: Callable[[], object]
) -> NDArray[np.float32]:
    slices = check_axes(volume, job.frame.slices)
    share = np.float32(1 / len(slices.axes))
    answers = Answers(volume, slices.context)
    for number, slab in parts(volume, slices.axes, 1):
        answer = as_stored(answers.of(job, slab, tick), slab)
        if out is None:
            out = np.empty((len(answer), *volume.shape), np.float32)
        place = out[(slice(None), *slab.within(Region.whole(volume.shape)).slices)]
        if number == 0:
            np.multiply(answer, share, out=place)
        else:
            answer *= share
            place += answer
    if out is None:
        raise DataError(f"{volume.name}: holds no pixels")
    for index in range(volume.shape[0] if job.logits else 0):
        activate_in_place(job.kind, out[:, index])
    return out


@contextmanager
def answering(job: TiledInference) -> Iterator[None]:
    """Put the networks into evaluation mode without gradients, and back as they were.

    Nothing is done to those that are in evaluation mode on their device, as for image after image.
    """
    before: list[nn.Module] = []
    for member in job.members:
        if not _is_on(member.network, job.device):
            member.network.to(job.device)
        if learning := [module for module in member.network.modules() if module.training]:
            before += learning
            member.network.eval()
    try:
        with torch.inference_mode(), same_arithmetic(job.device, job.products):
            yield
    finally:
        for module in before:
            module.training = True


def _is_on(network: nn.Module, device: torch.device) -> bool:
    first = next(network.parameters(), None)
    if first is None or first.device.type != device.type:
        return False
    return device.index is None or first.device.index == device.index


def _nothing(_slices: int = 1) -> None:
    pass
