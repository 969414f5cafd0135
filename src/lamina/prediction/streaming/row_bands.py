"""An image, or a volume in blocks, predicted band by band into a store; killed, it goes on.

A member's tiles are answered in the order of its lattice, and added into a sum that holds the
rows of one band and of a tile; of a volume, planes along its first stored axis. When no later tile
touches a band its rows are taken out, joined with those of the other members, and written. Tiles
are batched as in memory, whatever band they lie in, so that a run that goes on with a later band
gives the same bytes.

    WORK/slabs.jsonl    the plan, then one line for each finished band with its digest

The memory depends on the width of the image and the size of a tile, never on the number of rows. A
volume that is too wide is answered column by column: its tiles and their batches stay those of the
whole, and a tile that touches two columns is answered for both.

Letters: K outputs, n rows of a band, W columns of the image, or the sides of a plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.views.resampling.resampled import Part, seen_planes, source_region
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.check_answer import check_answer
from lamina.prediction.folder.digests import agrees
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.row_cache import RowCache
from lamina.prediction.streaming.units.unit import Unit
from lamina.prediction.tiling.forward import answers
from lamina.prediction.tiling.in_memory import close, join
from lamina.prediction.tiling.memory import batch_size, give_back
from lamina.prediction.tiling.tiled_inference import MemberTiles, TiledInference
from lamina.prediction.tiling.valid_tiles import AskedTile, batches_of, rows_of, tiles_inside
from lamina.volume import Volume

if TYPE_CHECKING:
    from lamina.prediction.streaming.zarr_store import Store

LARGE = 64 * 2**20
"""Bytes of an answer in float32, beyond which an image is answered band by band."""

_THICKEST, _THINNEST = 256, 16

_PLANES, _OF_BLOCKS = 64, 32 * 2**20  # most planes of a band of a volume, and bytes of its answer


def is_large(shape: Sequence[int], outputs: int) -> bool:
    """Whether the answer of an image of this shape is written band by band."""
    return len(shape) == 2 and 4 * outputs * prod(shape) > LARGE


def thickness(shape: Sequence[int], outputs: int) -> int:
    """Return the rows of a band: 256, or the largest power of two within 64 MiB, or 16.

    Of a volume the planes: 64, or the largest power of two within 32 MiB, or 1.
    """
    if len(shape) == 3:
        planes = _PLANES
        while planes > 1 and 4 * outputs * prod(shape[1:]) * planes > _OF_BLOCKS:
            planes //= 2
        return planes
    thick, width = _THICKEST, shape[1]
    while thick > _THINNEST and 4 * outputs * width * thick > LARGE:
        thick //= 2
    return thick


def bands(shape: Sequence[int], outputs: int) -> list[range]:
    """Return the rows of each band."""
    thick = thickness(shape, outputs)
    return [range(a, min(a + thick, shape[0])) for a in range(0, shape[0], thick)]


class Bands:
    """The bands of an image or a volume: one phase, a unit for each band of each column."""

    def __init__(
        self,
        volume: Volume,
        valid: Volume | None,
        outputs: int,
        place: Place,
        columns: Sequence[Region] = (),
    ) -> None:
        """Cut the rows.

        Args:
            volume: The image, or a volume that is seen in blocks.
            valid: Where it is answered; None: everywhere.
            outputs: K of the answer.
            place: Where it goes.
            columns: Parts of the axes after the first that are answered one after another, along
                borders of stored chunks; none: all at once.
        """
        self._volume, self._valid, self._outputs = volume, valid, outputs
        self._bands, self._place = bands(volume.shape, outputs), place
        whole = Region.whole(volume.shape[1:])
        self._columns = {column.start: column for column in columns or (whole,)}
        self._several = len(self._columns) > 1
        self._lines: list[_Lines | _SourceLines] = []
        self._at: tuple[TiledInference, Region, int] | None = None
        self.phases = [
            [
                Unit(0, band.start, 1, across if self._several else ())
                for across in self._columns
                for band in self._bands
            ]
        ]

    def begin(self) -> None:
        """Make the store, or go on with one of the same plan."""
        from lamina.prediction.streaming.zarr_store import Store

        Store.begin(
            self._place.store,
            self._volume.axes,
            (self._outputs, *self._volume.shape),
            self._place.dtype,
            slab={0: len(self._bands[0])},
            about={**self._place.about, "plan": self._place.plan},
        )

    def is_written(self, unit: Unit, noted: str, following: Sequence[Unit]) -> bool:
        """Whether the chunks that hold a band are as noted."""
        del following  # there is one phase
        return agrees(noted, self._store.digest(self._region(unit)))

    def answered(
        self,
        job: TiledInference,
        unit: Unit,
        tick: Callable[[int], object],
        after: Unit | None = None,
    ) -> Callable[[], str]:
        """Answer a band; one that follows the band before takes no tile twice."""
        del after  # rows are read as tiles need them
        give_back()
        answer = self._answer(job, self._band(unit), self._column(unit))
        tick(1)
        return partial(self._write, self._region(unit), answer)

    def release(self, unit: Unit, missing: Sequence[Unit]) -> None:
        """There is one phase."""

    def drop(self, phase: int) -> None:
        """There is one phase."""

    @cached_property
    def _store(self) -> Store:
        from lamina.prediction.streaming.zarr_store import Store

        return Store.join(self._place.store)

    def _write(self, region: Region, answer: NDArray[np.float32]) -> str:
        check_answer(answer, self._volume.name)
        back = tuple(-first for first in region.start)
        return self._store.put(region, lambda box: answer[(slice(None), *box.shift(back).slices)])

    def _band(self, unit: Unit) -> range:
        return self._bands[unit.start // len(self._bands[0])]

    def _column(self, unit: Unit) -> Region:
        return self._columns[unit.across or (0,) * (len(self._volume.shape) - 1)]

    def _region(self, unit: Unit) -> Region:
        band, column = self._band(unit), self._column(unit)
        return Region((band.start, *column.start), (band.stop, *column.stop))

    def _answer(self, job: TiledInference, band: range, column: Region) -> NDArray[np.float32]:
        """Return the answer of a band, (K, n, W), with smaller batches where memory runs out."""
        while True:
            try:
                if not self._continues(job, band, column):
                    self._start(job, band.start, column)
                each = [lines.take(band.stop) for lines in self._lines]
                answer = self._joined(job, each, (len(band), *column.shape))
                break
            except (RuntimeError, MemoryError) as error:
                self._at = None
                job.shrink(self._volume.name, error)
        self._at = (job, column, band.stop)
        if self._valid is not None:
            answer[:, ~rows_of(self._valid, band.start, band.stop, column)] = 0
        return answer

    def _continues(self, job: TiledInference, band: range, column: Region) -> bool:
        """Whether a band follows the one that was answered last."""
        at = self._at
        return at is not None and at[0] is job and at[1:] == (column, band.start)

    def _start(self, job: TiledInference, row: int, column: Region) -> None:
        self._lines = []  # their memory is free before more is taken
        every, thick = list(job.over(self._volume)), len(self._bands[0])
        halo = _with_halo(column, [tiles.grid for tiles in every], self._volume.shape)
        cache = RowCache(self._volume, halo if self._several else None)
        for tiles in every:
            lines: _Lines | _SourceLines
            if tiles.grid.shape == tuple(self._volume.shape):
                seen = replace(tiles, image=cache)
                lines = _Lines(job, seen, self._valid, self._outputs, row, thick, column)
            else:
                lines = _SourceLines(job, tiles, self._outputs, row, thick, column, self._volume)
            self._lines.append(lines)

    def _joined(
        self,
        job: TiledInference,
        each: Sequence[tuple[Tensor, Part | None]],
        sides: tuple[int, ...],
    ) -> NDArray[np.float32]:
        if len(each) == 1 and not job.separate(self._volume):
            total = each[0][0]
            close(job, total, separate=False)
        else:
            total = torch.zeros((self._outputs, *sides), device=each[0][0].device)
            for (own, part), lines in zip(each, self._lines, strict=True):
                join(job, total, own, lines.share, lines.curves, part)
            close(job, total, separate=True)
        return np.asarray(total.cpu().numpy(), np.float32)


def _with_halo(column: Region, grids: Sequence[TileGrid], shape: Sequence[int]) -> Region:
    """Return a column with all that tiles which touch it see, within the volume."""
    more = [max(grid.tile[axis] for grid in grids) - 1 for axis in range(1, len(shape))]
    start = tuple(max(a - n, 0) for a, n in zip(column.start, more, strict=True))
    ends = zip(column.stop, more, tuple(shape)[1:], strict=True)
    return Region(start, tuple(min(b + n, end) for b, n, end in ends))


class _Lines:
    """The answers of one member, as rows that no later tile touches."""

    def __init__(
        self,
        job: TiledInference,
        tiles: MemberTiles,
        valid: Volume | None,
        outputs: int,
        row: int,
        thick: int,
        column: Region | None = None,
    ) -> None:
        """Begin so that rows from ``row`` on will be complete; tiles count where ``valid`` is.

        Batches are those of the whole image from the top, whatever rows and columns are asked for.
        """
        grid, self.share = tiles.grid, tiles.share
        self.curves = tiles.member.calibration
        numbers = tiles_inside(grid, valid)
        self._tops, self._columns = grid.starts[0], prod(map(len, grid.starts[1:]))
        size = batch_size(len(numbers), job.batch)
        across = Region.whole(grid.shape[1:]) if column is None else column
        asked = batches_of(grid, numbers, size, row, across)
        rows = range(row, row + thick + grid.tile[0])
        self._sum = job.sum(grid, outputs, rows=rows, across=across)
        wanted = [number if touches else None for number, touches in asked]
        answered = answers(job, tiles, wanted, size=size)
        self._tiles: Iterator[tuple[AskedTile, Tensor]] = zip(asked, answered, strict=True)
        self._asked = iter(asked)
        self._next = next(self._asked, None)

    def _top(self, tile: AskedTile) -> int:
        return self._tops[tile.number // self._columns]

    def take(self, stop: int) -> tuple[Tensor, None]:
        """Return the rows up to ``stop`` (K, n, W) that were not taken before."""
        while self._next is not None and self._top(self._next) < stop:
            tile, answer = next(self._tiles)
            if tile.touches:
                self._sum.add(tile.number, answer)
            self._next = next(self._asked, None)
        return self._sum.take(stop), None


class _SourceLines:
    """The answers of one member that sees a volume resampled, for planes of the source."""

    def __init__(
        self,
        job: TiledInference,
        tiles: MemberTiles,
        outputs: int,
        plane: int,
        thick: int,
        column: Region,
        source: Volume,
    ) -> None:
        """Begin so that planes of the source from ``plane`` on can be made, ``thick`` at a time.

        Args:
            job: Who answers.
            tiles: Of the member, over the resampled volume.
            outputs: K of the answer.
            plane: The first one of the source.
            thick: Planes of a band.
            column: What is wanted of the axes of the source after the first.
            source: The volume as it is stored.
        """
        self.share, self.curves = tiles.share, tiles.member.calibration
        self._seen, self._stored = tuple(tiles.grid.shape), tuple(source.shape)
        self._column, self._at = column, plane
        across = source_region(column, self._seen[1:], self._stored[1:])
        self._left = across.start
        self._first = self._needed(plane, plane + 1).start
        planes = seen_planes(self._seen[0], self._stored[0], thick)
        halo = _with_halo(across, [tiles.grid], self._seen)
        seen = replace(tiles, image=RowCache(tiles.image, halo))
        self._lines = _Lines(job, seen, None, outputs, self._first, planes, across)
        self._held: Tensor | None = None

    def _needed(self, start: int, stop: int) -> range:
        """Return the planes of the resampled answer that make those of the source."""
        planes = source_region(Region((start,), (stop,)), self._seen[:1], self._stored[:1])
        return range(planes.start[0], planes.stop[0])

    def take(self, stop: int) -> tuple[Tensor, Part]:
        """Return planes of the resampled answer that make those of the source up to ``stop``.

        Those that the next planes need too are held.
        """
        needed = self._needed(self._at, stop)
        held = self._held
        there = self._first + (0 if held is None else held.shape[1])
        if held is None:
            held, _ = self._lines.take(needed.stop)
        elif needed.stop > there:
            held = torch.cat([held, self._lines.take(needed.stop)[0]], 1)
        self._held = held[:, needed.start - self._first :]
        self._first = needed.start
        box = Region((self._at, *self._column.start), (stop, *self._column.stop))
        part = Part(box, self._stored, (self._first, *self._left), self._seen)
        self._at = stop
        return self._held, part
