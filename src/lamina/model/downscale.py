"""A network that looks at a smaller copy of its input.

It learns at the small size, where a step costs a fraction, and answers at full size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def shrink(network: nn.Module, factors: tuple[int, ...]) -> None:
    """Make ``network`` see means over boxes of ``factors`` pixels, and interpolate its logits.

    Linearly along two axes or three. In training mode the logits stay small; ``at_size`` brings
    targets to them. Names of weights stay as they are. Sides of an input must be multiples of the
    factors times what the network itself needs.
    """
    if set(factors) == {1}:
        return
    network.register_forward_pre_hook(partial(_smaller, factors))
    network.register_forward_hook(partial(_larger, factors))


def _smaller(factors: tuple[int, ...], network: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    del network
    return (_means(factors)(args[0], factors),)


def _larger(
    factors: tuple[int, ...], network: nn.Module, args: tuple[Any, ...], logits: Tensor
) -> Tensor:
    del args
    if network.training:
        return logits
    return functional.interpolate(
        logits,
        scale_factor=tuple(map(float, factors)),
        mode="trilinear" if len(factors) == 3 else "bilinear",
        align_corners=False,
    )


def _means(box: tuple[int, ...]) -> Callable[..., Tensor]:
    return functional.avg_pool3d if len(box) == 3 else functional.avg_pool2d


def at_size(logits: Tensor, target: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return target and valid area at the size of ``logits``.

    Args:
        logits: (B, K, *s) of a network in training mode.
        target: (B, K, *S), sides S the same or multiples of s, for each axis its own.
        valid: (B, 1, *S), 1 where a pixel counts; None: all do.

    Returns:
        Target (B, K, *s), the mean of each box, so between 0 and 1 where masks end within it;
        valid (B, 1, *s), 1 where the whole box counts.

    Raises:
        ValueError: a side of the target is no multiple.
    """
    sides, whole = logits.shape[2:], target.shape[2:]
    if sides == whole:
        return target, valid
    if len(sides) != len(whole) or any(n % s for n, s in zip(whole, sides, strict=True)):
        raise ValueError(f"sides of the target {tuple(whole)} are no multiples of {tuple(sides)}")
    box = tuple(n // s for n, s in zip(whole, sides, strict=True))
    means = _means(box)
    if valid is None:
        return means(target, box), None
    return means(target, box), (means(1 - valid, box) == 0).to(valid.dtype)
