"""The plain decoder of a U-Net: nearest x2, the skip joined, twice a convolution with norm.

Letters: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class UnetDecoder(nn.Module):
    """Blocks of nearest x2, the skip joined, and two 3x3 convolutions with batch norm and ReLU.

    Convolutions start as in He et al. 2015 (uniform, by their inputs).
    """

    def __init__(self, deepest: int, skips: Sequence[int], filters: Sequence[int]) -> None:
        """Make as many blocks as there are ``filters``.

        Args:
            deepest: Channels of the deepest map.
            skips: Channels of the map that each block joins, from the deepest; 0: it joins none.
            filters: Channels that each block ends with.
        """
        super().__init__()
        below = [deepest, *filters[:-1]]
        self.blocks = nn.ModuleList(
            _Block(a + skip, b) for a, skip, b in zip(below, skips, filters, strict=True)
        )

    def forward(self, deepest: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Return the features of the last block, 2^blocks times the size of ``deepest``.

        Args:
            deepest: (B, C, H, W).
            skips: For the first blocks the maps that they join, each twice the size of the one
                before.
        """
        features = deepest
        for number, block in enumerate(self.blocks):
            features = block(features, *skips[number : number + 1])
        return features


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_layer(inputs, outputs), *_layer(outputs, outputs))

    def forward(self, features: Tensor, *skip: Tensor) -> Tensor:
        grown = functional.interpolate(features, scale_factor=2.0, mode="nearest")
        found: Tensor = self.layers(torch.cat([grown, *skip], 1))
        return found


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)  # the norm has one
    nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


class Head(nn.Sequential):
    """A 3x3 convolution to logits, then larger by ``factor``; the weights stand in ``0``."""

    def __init__(self, inputs: int, outputs: int, factor: int, upsample: str) -> None:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.xavier_uniform_(convolution.weight)
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        grow = nn.Identity() if factor == 1 else nn.Upsample(scale_factor=factor, mode=upsample)
        super().__init__(convolution, grow)
