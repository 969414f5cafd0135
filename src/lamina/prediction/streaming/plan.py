"""What predicting a volume will take: said before the work."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from lamina.data.network_input.frame import Slices
from lamina.data.views.resampling.resampled import source_region
from lamina.errors import ResourceError
from lamina.geometry.view import members as views_of
from lamina.prediction.streaming.slabs import held_bytes, slice_bytes
from lamina.prediction.streaming.units.columns import Seen, column_bytes, columns_of
from lamina.prediction.streaming.units.held_bytes import held_bytes as band_bytes
from lamina.prediction.tiling.forward import answers
from lamina.prediction.tiling.memory import batch_size
from lamina.prediction.tiling.tiled_inference import TiledInference
from lamina.prediction.tiling.valid_tiles import batches_of
from lamina.recipe.recipe import Recipe
from lamina.volume import Plane, Volume


@dataclass(frozen=True)
class Plan:
    """Numbers of a volume that will be streamed."""

    name: str
    shape: tuple[int, ...]
    slices: int
    """Slices of all axes together."""
    tiles: int
    """Forward passes of a single tile, over all slices, members and views."""
    slabs: dict[str, int]
    """Slices of a slab along each axis."""
    memory: int
    """Bytes beside the networks and the tiles that pass them."""
    work: int
    """Bytes of disk on the way."""
    kept: int
    """Bytes of disk of the probabilities, before compression."""
    seconds: float | None = None
    """About how long it takes, from a single slice."""
    again: float = 0.0
    """Share of the tiles that is answered again at the borders of columns."""

    def lines(self) -> list[str]:
        """Return sentences for people."""
        slabs = ", ".join(f"{thick} along {axis}" for axis, thick in self.slabs.items())
        lines = [
            f"{self.name}: {' x '.join(map(str, self.shape))}, {self.slices} slices, "
            f"{self.tiles} tiles; slabs of {slabs}",
            f"  memory {_size(self.memory)} beside the networks, disk {_size(self.kept)} and "
            f"{_size(self.work)} on the way",
        ]
        if self.again:
            lines.append(f"  {self.again:.0%} of the tiles are answered again in other columns")
        if self.seconds is not None:
            lines.append(f"  about {_time(self.seconds)}")
        return lines

    def check_disk(self, folder: Path, there: int = 0) -> None:
        """Refuse what does not fit; ``there`` bytes of it are written already.

        Raises:
            ResourceError: the disk that holds ``folder`` has too little room.
        """
        free = shutil.disk_usage(folder).free
        if self.work + self.kept > free + there:
            raise ResourceError(
                f"{folder}: predicting {self.name} needs {_size(self.work + self.kept)} of disk, "
                f"{_size(self.work)} of it on the way, and {_size(free)} are free; free some "
                "space or choose another --out"
            )


def plan(
    job: TiledInference, volume: Volume, slices: Slices, outputs: int, thick: Sequence[int]
) -> Plan:
    """Return what it takes to stream a volume in slabs that thick along each axis."""
    count, tiles = 0, 0
    for axis in slices.axes:
        length = volume.shape[volume.axes.index(axis)]
        count += length
        tiles += length * _tiles(job, Plane(volume, axis, 0, slices.context))
    voxels = prod(volume.shape) * outputs
    slabs = dict(zip(slices.axes, thick, strict=True))
    return Plan(
        name=volume.name,
        shape=volume.shape,
        slices=count,
        tiles=tiles,
        slabs=slabs,
        memory=max(held_bytes(volume, axis, outputs, n) for axis, n in slabs.items())
        + 2 * max(slice_bytes(volume, axis, outputs) for axis in slices.axes),
        work=4 * voxels * min(len(slices.axes) - 1, 2),
        kept=(4 if job.kind == "restore" else 2) * voxels,
    )


def plan_blocks(job: TiledInference, volume: Volume, outputs: int, thick: Sequence[int]) -> Plan:
    """Return what it takes to stream a volume in blocks; a block is answered to tell how long.

    Args:
        job: Who answers.
        volume: Three axes.
        outputs: K of the answer.
        thick: Planes of a band, and the sides of its columns if there are several.
    """
    voxels = prod(volume.shape) * outputs
    views, grids, seconds = len(views_of(job.options.views, job.frame.axes)), [], 0.0
    columns, answered = columns_of(volume.shape, thick[1:]), 0
    for tiles in job.over(volume):
        grid = tiles.grid
        grids.append(grid)
        begun = time.perf_counter()
        list(answers(job, tiles, [len(grid) // 2]))
        each, count = time.perf_counter() - begun, len(grid)
        if len(columns) > 1:
            size, numbers = batch_size(count, job.batch), range(count)
            across = [source_region(one, grid.shape[1:], volume.shape[1:]) for one in columns]
            count = sum(len(batches_of(grid, numbers, size, 0, one)) for one in across)
        answered += count
        seconds += each * count
    whole = sum(map(len, grids))
    memory = band_bytes(
        volume, outputs, [grid.tile[0] for grid in grids], [grid.shape for grid in grids]
    )
    if len(columns) > 1:
        memory = column_bytes(volume, outputs, [Seen(g.tile, g.shape) for g in grids], thick[1:])
    return Plan(
        name=volume.name,
        shape=volume.shape,
        slices=volume.shape[0],
        tiles=answered * views,
        slabs=dict(zip(volume.axes, thick, strict=False)),
        memory=memory,
        work=0,
        kept=(4 if job.kind == "restore" else 2) * voxels,
        seconds=seconds,
        again=answered / whole - 1 if whole else 0.0,
    )


def work_bytes(volume: Volume, recipe: Recipe) -> int:
    """Return the bytes of disk that the sums of a volume's axes take on the way."""
    axes = recipe.frame.slices.axes if recipe.frame.slices else ""
    return 4 * prod(volume.shape) * recipe.task.outputs * max(min(len(axes) - 1, 2), 0)


def check_room(name: str, folder: Path, kept: int, there: int = 0) -> None:
    """Refuse what does not fit; ``there`` bytes of it are written already.

    Raises:
        ResourceError: the disk that holds ``folder`` has too little room.
    """
    free = shutil.disk_usage(folder).free
    if kept > free + there:
        raise ResourceError(
            f"{folder}: predicting {name} needs {_size(kept)} of disk, and {_size(free)} are free; "
            "free some space or choose another --out"
        )


def _tiles(job: TiledInference, plane: Plane) -> int:
    total = 0
    for member in job.members:
        total += len(job.grid(member, job.seen_shape(member, plane), plane.axes))
    return total * len(views_of(job.options.views, job.frame.axes))


def _size(count: int) -> str:
    for unit, least in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count / 2**10:.0f} KiB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
