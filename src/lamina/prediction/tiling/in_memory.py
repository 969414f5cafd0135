"""One image answered in memory: a lattice of tiles for each member, added into one array."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.views.resized import resample
from lamina.prediction.tiling.averaging import POWERS, activate, rooted
from lamina.prediction.tiling.blend import Sum
from lamina.prediction.tiling.forward import answers
from lamina.prediction.tiling.tiled_inference import Job
from lamina.prediction.tiling.valid_tiles import tiles_inside
from lamina.volume import Volume, read_all


def answer_image(
    job: Job,
    volume: Volume,
    out: NDArray[np.float32] | None = None,
    valid: Volume | None = None,
) -> NDArray[np.float32]:
    """Return the mean answer of all members (K, H, W), with smaller batches where memory runs out.

    Args:
        job: Who answers, and how; its batch shrinks (M05).
        volume: Two axes.
        out: Where to write; None: a new array.
        valid: Answer only where it is not 0; None: everywhere.

    Raises:
        ResourceError: a single tile does not fit the memory.
    """
    while True:
        try:
            return _answer(job, volume, out, valid)
        except (RuntimeError, MemoryError) as error:
            job.shrink(volume.name, error)


def _answer(
    job: Job, volume: Volume, out: NDArray[np.float32] | None, valid: Volume | None
) -> NDArray[np.float32]:
    apart = job.apart(volume)
    total: Sum | None = None
    for member, share in zip(job.members, job.shares, strict=True):
        seen = job.seen(member, volume)
        grid = job.grid(member, seen)
        own: Sum | None = None
        numbers = tiles_inside(grid, valid if seen is volume else None)
        tiles = answers(job, member, seen, grid, numbers)
        for number, answer in zip(numbers, tiles, strict=True):
            if total is None:
                total = job.sum(job.grid(member, volume), len(answer), out)
            if own is None:
                own = job.sum(grid, len(answer)) if apart else total
            own.add(number, answer, 1.0 if apart else share)
        if apart and own is not None and total is not None:
            join(job, total.values, own.values, share)
    if total is None:
        raise ValueError("an answer needs at least one member")
    close(job, total.values, apart=apart)
    found = total.result()
    if valid is not None:
        found[:, read_all(valid)[0] == 0] = 0
    return found


def join(job: Job, total: Tensor, own: Tensor, share: float) -> None:
    """Add what a member answers by itself (K, h, w) to the sum over members (K, H, W)."""
    mean = job.options.mean_of
    if mean.tiles == "logit" and mean.members != "logit":
        own = activate(job.kind, own[None])[0]
    own = _at_shape(own, total.shape[1:])
    if job.options.rounding == "uint8":
        own = (own * 255).clamp_(0, 255).trunc_().div_(255)
    total.add_(own.pow(POWERS.get(mean.members, 1)), alpha=share)


def close(job: Job, values: Tensor, *, apart: bool) -> None:
    """Turn the sum over members into the answer, in place.

    Args:
        job: Means and kind.
        values: (K, H, W), or some rows of it.
        apart: Whether members came by ``join``.
    """
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
