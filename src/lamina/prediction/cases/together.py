"""Which images are answered together, so that their tiles fill forward passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import prod

from lamina.geometry.tiling.grid import TileGrid, steps_of
from lamina.prediction.folder.manifest import Info, PredictedCase
from lamina.prediction.tiling.memory import batch_size
from lamina.recipe.recipe import Recipe

PASSES = 4
"""Forward passes that a run of images fills at least, unless they end or take more memory."""


class Together:
    """Runs of images with the same members and axes, which together have tiles enough.

    They hold no more pixels than the largest image does, or the tiles of one forward pass do: that
    much memory is there anyway.
    """

    def __init__(self, cases: Sequence[PredictedCase], recipe: Recipe, batch: int) -> None:
        """``cases`` are all of a prediction, ``batch`` its tiles of a forward pass."""
        self._cases, self._recipe, self._batch = cases, recipe, batch
        sizes = {case.shape for case in cases if not case.chunked}
        self._most = max(batch * prod(recipe.tile), *map(prod, sizes), 0)

    @classmethod
    def of(cls, info: Info) -> Together | None:
        """Return who goes together in a prediction; None: each image has batches of its own."""
        if info.arithmetic is None or not info.arithmetic.gathered or info.uncertainty:
            return None
        return cls(info.cases, info.recipe, info.arithmetic.batch)

    def runs(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        """Yield images, by their numbers, cut into those that are answered together."""
        run: list[int] = []
        for number in numbers:
            if run and not self.joins(run, number):
                yield run
                run = []
            run.append(number)
        if run:
            yield run

    def joins(self, run: Sequence[int], number: int) -> bool:
        """Whether an image is answered with those of a run."""
        first, other = self._cases[run[0]], self._cases[number]
        if (first.members, first.axes, first.chunked) != (other.members, other.axes, other.chunked):
            return False
        shapes = [self._cases[n].shape for n in run]
        if sum(count_tiles(shape, self._recipe) for shape in shapes) >= PASSES * self._batch:
            return False
        return sum(map(prod, [*shapes, other.shape])) <= self._most


def gathered_batch(cases: Iterable[PredictedCase], recipe: Recipe, most: int) -> int:
    """Return the tiles of a forward pass that all images share: at most ``most``, least padding.

    Where there are volumes or large images, whose batches follow from ``most``, it is that.
    """
    tiles = 0
    for (shape, chunked), count in Counter((case.shape, case.chunked) for case in cases).items():
        if chunked:
            return most
        tiles += count * count_tiles(shape, recipe)
    return batch_size(tiles, most) if tiles else most


@lru_cache(maxsize=256)
def _count(shape: tuple[int, ...], tile: tuple[int, ...], steps: tuple[int, ...]) -> int:
    return len(TileGrid(shape, tile, steps))


def count_tiles(shape: tuple[int, ...], recipe: Recipe) -> int:
    """Return the tiles of an image as the first member sees it, (H, W) in pixels."""
    seen, tile = recipe.frame.resize or shape, recipe.tile
    return _count(tuple(seen), tuple(tile), steps_of(tile, recipe.predict.overlaps(len(tile))))
