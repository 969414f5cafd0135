"""Tiles through a network: cut, looked at in every view, and averaged over the views.

Letters: B tiles of a batch, C channels in, K outputs, S sides of a tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.geometry.view import members as views_of
from lamina.model.memory_layout import laid_out, layout_of
from lamina.prediction.tiling.averaging import activate
from lamina.prediction.tiling.memory import batch_size
from lamina.prediction.tiling.tiled_inference import MemberTiles, TiledInference


def answers(
    job: TiledInference,
    tiles: MemberTiles,
    numbers: Sequence[int | None],
    *,
    size: int | None = None,
) -> Iterator[Tensor]:
    """Yield the mean over views (K, *S) of each tile, float32, in the order of ``numbers``.

    Args:
        job: Views, means and device.
        tiles: Of the member that answers.
        numbers: Tiles to answer, by their place in the lattice; None: a place of a batch that is
            filled with zeros, since its tile is not needed. Its answer means nothing.
        size: Tiles of every batch, the last of which is filled up with zeros; None: as many as
            the job allows, with the least padding.
    """
    size = batch_size(len(numbers), job.batch) if size is None else size
    yield from stream_answers(job, ((tiles, number) for number in numbers), size)


def stream_answers(
    job: TiledInference, pairs: Iterable[tuple[MemberTiles, int | None]], size: int
) -> Iterator[Tensor]:
    """Yield the mean over views (K, *S) of each tile, float32, in order.

    Args:
        job: Views, means and device.
        pairs: Tiles of one member, perhaps of several images of one shape, by their places in the
            lattices; they are taken as batches are filled. None in place of a number: zeros.
        size: Tiles of every batch, the last of which is filled up with zeros.
    """
    stacks: Stacks | None = None
    last: MemberTiles | None = None
    filled = 0
    for tiles, number in pairs:
        if stacks is None:
            shape = (size, tiles.frame.inputs, *tiles.grid.tile)
            stacks = Stacks(shape, layout_of(tiles.member.network, len(shape)), job.device)
        last, place = tiles, stacks.free[filled].numpy()
        if number is None:
            place.fill(0)
        else:
            tiles.frame.look(tiles.image, tiles.grid.region(number), tiles.factors, out=place)
        filled += 1
        if filled == size:
            yield from _in_order(job, tiles, stacks.sent())
            filled = 0
    if stacks is not None and last is not None and filled:
        stacks.free[filled:].zero_()
        yield from _in_order(job, last, stacks.sent())[:filled]


class Stacks:
    """Batches of tiles in the host's memory; for a GPU two, used in turn.

    One is filled while the GPU fetches the other by itself.
    """

    def __init__(
        self, shape: tuple[int, ...], layout: torch.memory_format, device: torch.device
    ) -> None:
        """Take the memory, zeroed: (B, C, *S) float32."""
        count = 2 if device.type == "cuda" else 1
        self._stacks = [torch.zeros(shape).to(memory_format=layout) for _ in range(count)]
        if count > 1:
            self._stacks = [stack.pin_memory() for stack in self._stacks]
        self._fetched: list[torch.cuda.Event | None] = [None] * len(self._stacks)
        self._device, self._at = device, 0

    @property
    def free(self) -> Tensor:
        """The stack that may be filled."""
        return self._stacks[self._at]

    def sent(self) -> Tensor:
        """Return the filled stack on the device, and wait until the other one may be filled.

        On a CPU it is the stack itself, which is filled again once it is no longer needed.
        """
        there = self.free.to(self._device, non_blocking=True)
        if self._device.type == "cuda":
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
            self._fetched[self._at] = event
            self._at = 1 - self._at
            before = self._fetched[self._at]
            if before is not None:
                before.synchronize()
        return there


def _in_order(job: TiledInference, tiles: MemberTiles, batch: Tensor) -> Tensor:
    """Return ``_forward`` of a batch whose axes are stored in another order than they are seen."""
    order = seen_order(tiles.image.axes)
    if order == tuple(range(len(order))):
        return _forward(job, tiles, batch)
    seen = batch.permute(0, 1, *(2 + axis for axis in order))
    return _forward(job, tiles, seen).permute(0, 1, *(2 + at for at in stored(range(3), order)))


def _forward(job: TiledInference, tiles: MemberTiles, batch: Tensor) -> Tensor:
    """Return the mean over views (B, K, *S) of a batch: float32, probabilities where due.

    A view whose answer is not a number at a pixel is left out of the mean there (INK-25); where
    no view has one, there is none.
    """
    mean = job.options.mean_of
    total: Tensor | None = None
    missing: Tensor | None = None  # shares of the views without a number
    views = views_of(job.options.views, job.frame.axes)
    if tiles.member.view is not None:
        views = ((views[tiles.member.view][0], 1.0),)
    for upright, share in views:
        view = upright.then(tiles.frame.quarter_turns)
        seen = laid_out(tiles.member.network, view.see(batch))
        with torch.autocast(
            job.device.type, dtype=job.precision, enabled=job.precision is not None
        ):
            logits = tiles.member.network(seen)
        answer = logits.float()
        if mean.views == "probability":
            answer = activate(job.kind, answer)
        answer = view.undo(answer)
        if share == 1:
            total = answer
            break
        # On a CPU the sum is cheaper than every pixel; a GPU is not waited for.
        if job.device.type == "cuda" or answer.sum().isnan():
            answer, missing = _without_nan(answer, share, missing)
        total = answer * share if total is None else total.add_(answer, alpha=share)
    if total is None:
        raise ValueError("a group of views is never empty")
    if missing is not None:
        total /= torch.where(missing > 1 - 1e-6, torch.nan, 1 - missing)
    if mean.views == "logit" and mean.tiles == "probability":
        return activate(job.kind, total)
    return total


def _without_nan(answer: Tensor, share: float, missing: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return an answer with 0 for what is no number, and the share that is missing there."""
    none = answer.isnan()
    more = none * share
    return answer.masked_fill(none, 0.0), more if missing is None else missing + more
