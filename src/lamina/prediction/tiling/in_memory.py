"""One image answered in memory: a lattice of tiles for each member, added into one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.views.resized import resample
from lamina.prediction.tiling.averaging import (
    POWERS,
    activate,
    calibrate,
    is_calibrated,
    power_mean,
)
from lamina.prediction.tiling.blend import Sum
from lamina.prediction.tiling.forward import answers
from lamina.prediction.tiling.tiled_inference import TiledInference
from lamina.prediction.tiling.valid_tiles import tiles_inside
from lamina.result.calibration import Calibration
from lamina.volume import Volume, read_all


def answer_image(
    job: TiledInference,
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
    job: TiledInference, volume: Volume, out: NDArray[np.float32] | None, valid: Volume | None
) -> NDArray[np.float32]:
    separate = job.separate(volume)
    total: Sum | None = None
    for tiles in job.over(volume):
        numbers = tiles_inside(tiles.grid, valid if tiles.image is volume else None)
        own = None if separate else total
        for number, answer in zip(numbers, answers(job, tiles, numbers), strict=True):
            if own is None:  # the network says how many outputs there are
                own = job.sum(tiles.grid, len(answer), None if separate else out)
            own.add(number, answer, 1.0 if separate else tiles.share)
        if not separate or own is None:
            total = own
            continue
        if total is None:
            grid = job.grid(tiles.member, tuple(volume.shape))
            total = job.sum(grid, len(own.values), out)
        join(job, total.values, own.values, tiles.share, tiles.member.calibration)
    if total is None:
        raise ValueError("an answer needs at least one member")
    close(job, total.values, separate=separate)
    prob = total.result()
    if valid is not None:
        prob[:, read_all(valid)[0] == 0] = 0
    return prob


def join(
    job: TiledInference,
    total: Tensor,
    own: Tensor,
    share: float,
    curves: Sequence[Calibration] = (),
) -> None:
    """Add what a member answers by itself (K, h, w) to the sum over members (K, H, W).

    Its probabilities go through ``curves`` first.
    """
    mean = job.options.mean_of
    if mean.tiles == "logit" and mean.members != "logit":
        own = activate(job.kind, own[None])[0]
    if is_calibrated(curves):
        own = calibrate(job.kind, own, curves, logits=mean.members == "logit")
    own = _at_shape(own, total.shape[1:])
    if job.options.rounding == "uint8":
        own = (own * 255).clamp_(0, 255).trunc_().div_(255)
    total.add_(own.pow(POWERS.get(mean.members, 1)), alpha=share)


def close(job: TiledInference, values: Tensor, *, separate: bool) -> None:
    """Turn the sum over members into the answer, in place.

    Args:
        job: Means and kind.
        values: (K, H, W), or some rows of it.
        separate: Whether members came by ``join``.
    """
    mean = job.options.mean_of
    if mean.tiles == "logit" and (mean.members == "logit" or not separate):
        if not job.logits:
            values.copy_(activate(job.kind, values[None])[0])
    elif separate and mean.members != "logit":
        power_mean(job.kind, values, mean.members)


def _at_shape(values: Tensor, shape: torch.Size) -> Tensor:
    """Return a map (K, h, w) at the size of the image, bilinear; an equal one as it is."""
    if values.shape[1:] == shape:
        return values
    there = torch.from_numpy(resample(values.cpu().numpy(), shape))
    return there.to(values.device)
