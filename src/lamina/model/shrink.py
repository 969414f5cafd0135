"""A network that looks at a smaller copy of its input and answers at full size."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def shrink(network: nn.Module, factor: int) -> None:
    """Make ``network`` see means over factor x factor pixels and enlarge its logits bilinearly.

    Names of weights stay as they are. Rows and columns of an input must be multiples of
    ``factor`` times what the network itself needs.
    """
    if factor == 1:
        return
    network.register_forward_pre_hook(partial(_smaller, factor))
    network.register_forward_hook(partial(_larger, factor))


def _smaller(factor: int, network: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    del network
    return (functional.avg_pool2d(args[0], factor),)


def _larger(factor: int, network: nn.Module, args: tuple[Any, ...], logits: Tensor) -> Tensor:
    del network, args
    return functional.interpolate(
        logits, scale_factor=float(factor), mode="bilinear", align_corners=False
    )
