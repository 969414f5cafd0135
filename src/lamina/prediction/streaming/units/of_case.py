"""How a case is cut into units: bands of an image or of blocks, slabs of slices of a volume.

Bands of blocks that do not fit the memory are cut into columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from lamina.data.case import Case
from lamina.errors import ResourceError
from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.row_bands import Bands, bands
from lamina.prediction.streaming.slabs import check_axes, held_bytes, is_cut, thickness
from lamina.prediction.streaming.units.columns import (
    Seen,
    can_be_cut,
    column_bytes,
    column_sides,
    columns_of,
)
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
        valid = case.valid if recipe.predict.only_valid else None
        columns = columns_of(volume.shape, thick[1:]) if len(thick) > 1 else ()
        return Bands(volume, valid, outputs, place, columns)
    return VolumeSlabs(volume, check_axes(volume, recipe.frame.slices), outputs, place, thick)


def thickness_of(
    volume: Volume,
    recipe: Recipe,
    place: Place,
    memory: int | None = None,
    seen: Sequence[Seen] = (),
) -> list[int]:
    """Return how thick the units are along each axis; work that was begun keeps its own.

    Args:
        volume: The image of a case.
        recipe: As for ``units_of``.
        place: Where the answer goes.
        memory: Bytes for slabs, or for bands of blocks; None: 256 MiB, or as many as bands need.
        seen: How each member sees a volume in blocks; none: bands are whole.

    Returns:
        Slices of the slabs along each axis that is cut; or rows of a band of an image; or planes of
        a band of blocks, and behind them the sides of its columns if there are several.

    Raises:
        ResourceError: what was begun needs more memory than that.
        LaminaError: as ``units_of``.
    """
    outputs = recipe.task.outputs
    if not is_cut(volume, recipe.frame):
        if not prod(volume.shape):
            return [1]
        rows = [len(bands(volume.shape, outputs)[0])]
        return rows if len(volume.shape) == 2 else _of_blocks(volume, recipe, place, memory, seen)
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


def _of_blocks(
    volume: Volume, recipe: Recipe, place: Place, memory: int | None, seen: Sequence[Seen]
) -> list[int]:
    """Return the planes of a band, and the sides of its columns if there are several.

    Raises:
        ResourceError: what was begun needs more memory.
    """
    outputs, whole = recipe.task.outputs, tuple(volume.shape)[1:]
    planes = len(bands(volume.shape, outputs)[0])
    sides = column_sides(volume, outputs, seen, memory) if seen else whole
    own = [planes] if sides == whole else [planes, *sides]
    noted = noted_thickness(place.work, place.plan)
    if noted is None or len(noted) not in (1, 3) or noted[0] != planes:
        return own
    if memory is None or not seen or not can_be_cut(volume):
        return noted
    needs = column_bytes(volume, outputs, seen, noted[1:] or whole)
    if needs > max(memory, column_bytes(volume, outputs, seen, sides)):
        raise ResourceError(
            f"{volume.name}: was begun with bands of {' x '.join(map(str, noted[1:] or whole))} "
            f"voxels across, which need {(needs - memory) / 2**20:.0f}M more than is free; raise "
            f"--memory by as much, or delete {place.work}"
        )
    return noted


def in_a_row(volume: Volume, recipe: Recipe, workers: int, columns: int = 1) -> int:
    """Return how many units one worker does in a row.

    A strip of bands takes the tiles that cross its upper edge again, so it is eight tiles high
    where the image has enough of them for all workers; slabs take no tile twice.

    Args:
        volume: The image of a case.
        recipe: As for ``units_of``.
        workers: Processes that share the units.
        columns: That bands are cut into.
    """
    if is_cut(volume, recipe.frame):
        return 1
    rows = bands(volume.shape, recipe.task.outputs)
    high = -(-8 * stored(recipe.tile, seen_order(volume.axes))[0] // len(rows[0]))
    return max(min(high, columns * len(rows) // (2 * workers)), 1)
