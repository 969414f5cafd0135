"""What the numbers of a network mean where it restores: values, shares of 1, or noise.

The change hangs on the finished network, so that it is the same for every kind, in training and
in prediction, and names of weights stay as they are.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def restoring(network: nn.Module, *, residual: bool, activation: str) -> None:
    """Make ``network`` answer its input less what it found, or the sigmoid of what it found.

    Either way the answer is float32, whatever the network computes in (NOISE-11).

    Args:
        network: From (B, C, H, W) to (B, K, H, W); with ``residual`` K is C.
        residual: It finds the noise, and the answer is what remains of the input.
        activation: ``sigmoid`` holds answers within 0..1 (NOISE-9); not with ``residual``.
    """
    if residual:
        network.register_forward_hook(_remains)
    elif activation == "sigmoid":
        network.register_forward_hook(_within)


def _remains(network: nn.Module, args: tuple[Any, ...], noise: Tensor) -> Tensor:
    del network
    image: Tensor = args[0]
    return image.float() - noise.float()


def _within(network: nn.Module, args: tuple[Any, ...], logits: Tensor) -> Tensor:
    del network, args
    return logits.float().sigmoid()
