"""A network that looks at a smaller copy of its input.

It learns at the small size, where a step costs a fraction, and answers at full size.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def shrink(network: nn.Module, factor: int) -> None:
    """Make ``network`` see means over factor x factor pixels and enlarge its logits bilinearly.

    In training mode the logits stay small; ``at_size`` brings targets to them. Names of weights
    stay as they are. Rows and columns of an input must be multiples of ``factor`` times what the
    network itself needs.
    """
    if factor == 1:
        return
    network.register_forward_pre_hook(partial(_smaller, factor))
    network.register_forward_hook(partial(_larger, factor))


def _smaller(factor: int, network: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    del network
    return (functional.avg_pool2d(args[0], factor),)


def _larger(factor: int, network: nn.Module, args: tuple[Any, ...], logits: Tensor) -> Tensor:
    del args
    if network.training:
        return logits
    return functional.interpolate(
        logits, scale_factor=float(factor), mode="bilinear", align_corners=False
    )


def at_size(logits: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return target and valid area at the size of ``logits``.

    Args:
        logits: (B, K, h, w) of a network in training mode.
        target: (B, K, H, W), H and W the same multiple of h and w.
        valid: (B, 1, H, W), 1 where a pixel counts.

    Returns:
        Target (B, K, h, w), the mean of each square, so between 0 and 1 where masks end within
        it; valid (B, 1, h, w), 1 where the whole square counts.
    """
    factor = target.shape[-1] // logits.shape[-1]
    if factor == 1:
        return target, valid
    whole = functional.avg_pool2d(valid, factor) == 1
    return functional.avg_pool2d(target, factor), whole.to(valid.dtype)
