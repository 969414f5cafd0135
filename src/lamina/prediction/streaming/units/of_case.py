"""How a case is cut into units: bands of an image or of blocks, slabs of slices of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from lamina.data.case import Case
from lamina.errors import ResourceError
from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.row_bands import Bands, bands
from lamina.prediction.streaming.slabs import check_axes, held_bytes, is_cut, thickness
from lamina.prediction.streaming.units.ledger import noted_thickness
from lamina.prediction.streaming.units.unit import Units
from lamina.prediction.streaming.volume import VolumeSlabs
from lamina.recipe.recipe import Recipe
from lamina.volume import Volume


def units_of(case: Case, recipe: Recipe, place: Place, thick: Sequence[int]) -> Units:
    """Return the units of a volume, or of an image that is streamed.

    Args:
        case: With ``predict.only_valid`` answered only where it says that pixels count.
        recipe: The names of its task are known.
        place: Where the answer goes.
        thick: As ``thickness_of`` returns it.

    Raises:
        RecipeError: the recipe does not say how to cut volumes.
        DataError: the volume lacks an axis that the recipe cuts.
    """
    volume, outputs = case.image, recipe.task.outputs
    if not is_cut(volume, recipe.frame):
        return Bands(volume, case.valid if recipe.predict.only_valid else None, outputs, place)
    return VolumeSlabs(volume, check_axes(volume, recipe.frame.slices), outputs, place, thick)


def thickness_of(
    volume: Volume, recipe: Recipe, place: Place, memory: int | None = None
) -> list[int]:
    """Return how thick the units are along each axis; work that was begun keeps its own.

    Args:
        volume: The image of a case.
        recipe: As for ``units_of``.
        place: Where the answer goes.
        memory: Bytes for slabs; None: 256 MiB.

    Raises:
        ResourceError: what was begun needs more memory than that.
        LaminaError: as ``units_of``.
    """
    outputs = recipe.task.outputs
    if not is_cut(volume, recipe.frame):
        return [len(bands(volume.shape, outputs)[0])] if prod(volume.shape) else [1]
    axes = check_axes(volume, recipe.frame.slices).axes
    own = [thickness(volume, axis, outputs, memory) for axis in axes]
    noted = noted_thickness(place.work, place.plan)
    if noted is None or len(noted) != len(own):
        return own
    needs, holds = (
        max(held_bytes(volume, axis, outputs, n) for axis, n in zip(axes, each, strict=True))
        for each in (noted, own)
    )
    if memory is not None and needs > max(memory, holds):
        raise ResourceError(
            f"{volume.name}: was begun with slabs of {', '.join(map(str, noted))} slices, which "
            f"need {(needs - memory) / 2**20:.0f}M more than is free; raise --memory by as much, "
            f"or delete {place.work}"
        )
    return noted


def in_a_row(volume: Volume, recipe: Recipe, workers: int) -> int:
    """Return how many units one worker does in a row.

    A strip of bands takes the tiles that cross its upper edge again, so it is eight tiles high
    where the image has enough of them for all workers; slabs take no tile twice.
    """
    if is_cut(volume, recipe.frame):
        return 1
    rows = bands(volume.shape, recipe.task.outputs)
    high = -(-8 * stored(recipe.tile, seen_order(volume.axes))[0] // len(rows[0]))
    return max(min(high, len(rows) // (2 * workers)), 1)
