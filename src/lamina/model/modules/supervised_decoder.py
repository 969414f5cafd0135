"""Logits of a decoder's coarser maps, in training alone (deep supervision; Lee et al. 2015)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

_LEVELS = 3  # 1/2, 1/4 and 1/8 of the size


def supervise(
    network: nn.Module, inputs: int, outputs: int, side: int, prior: float | None
) -> None:
    """Give the blocks of ``network.decoder`` before the last a convolution of a pixel each.

    In training mode the network then maps (B, inputs, H, W) to a list of logits, from full size to
    1/8, as far as there are blocks. In evaluation it stays as it is.

    Args:
        network: With ``decoder.blocks``, the last of which is of full size.
        inputs: Channels of the image.
        outputs: K of the logits.
        side: Rows and columns of an image that it takes, in pixels.
        prior: Probability that every output starts at; None: about one half.
    """
    blocks: Any = network.get_submodule("decoder.blocks")
    coarser = list(blocks)[-2 : -2 - _LEVELS : -1]
    maps: list[Tensor] = []

    def keep(_block: nn.Module, _args: object, features: Tensor) -> None:
        if network.training:
            maps.append(features)

    def answered(_network: nn.Module, _args: object, logits: Tensor) -> Tensor | list[Tensor]:
        if not network.training:
            return logits
        finest_first = maps[::-1]
        maps.clear()
        heads: Any = network.get_submodule("supervision_heads")
        return [logits, *(head(x) for head, x in zip(heads, finest_first, strict=True))]

    widths = _widths(network, coarser, inputs, side)
    network.supervision_heads = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in widths)
    if prior is not None:
        for head in network.supervision_heads:
            nn.init.constant_(head.bias, math.log(prior / (1 - prior)))  # type: ignore[arg-type]
    for block in coarser:
        block.register_forward_hook(keep)
    network.register_forward_hook(answered)


def _widths(network: nn.Module, blocks: list[nn.Module], inputs: int, side: int) -> list[int]:
    """Return the channels of what each block answers, by an empty image."""
    widths: dict[nn.Module, int] = {}

    def note(block: nn.Module, _args: object, features: Tensor) -> None:
        widths[block] = features.shape[1]

    hooks = [block.register_forward_hook(note) for block in blocks]
    training, device = network.training, next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(1, inputs, side, side, device=device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return [widths[block] for block in blocks]
