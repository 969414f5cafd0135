"""NAFNet: a U of blocks without any activation function but the product of two halves.

Chen et al. 2022, Simple baselines for image restoration.
Letters: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lamina.model.networks.plain import Plain


class Nafnet(Plain):
    """A 3x3 convolution, blocks at ever half the size with twice the channels, and back up.

    Down is a 2x2 convolution of stride 2, up a 1x1 convolution and a pixel shuffle; skips are
    added. The defaults are the paper's 36 blocks of width 32. Its channel attention averages over
    what the network is shown: predict in tiles of the training size.
    """

    kind: Literal["nafnet"] = "nafnet"

    width: PositiveInt = 32
    """Channels at full size; twice as many at each half."""

    down: tuple[NonNegativeInt, ...] = Field(default=(2, 2, 4, 8), min_length=1)
    """Blocks at full size, 1/2, ... before each halving."""

    middle: int = Field(default=12, ge=0)
    """Blocks at the smallest size."""

    up: tuple[NonNegativeInt, ...] = Field(default=(2, 2, 2, 2), min_length=1)
    """Blocks after each doubling, from the smallest size to full size; as many as ``down``."""

    @model_validator(mode="after")
    def _what_goes_down_comes_up(self) -> Self:
        if len(self.down) != len(self.up):
            raise ValueError(
                f"down halves {len(self.down)} times, and up doubles {len(self.up)} times; name as "
                "many numbers of blocks for both"
            )
        return self

    @property
    def multiple(self) -> int:
        """2 to the number of halvings."""
        return 1 << len(self.down)

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        return _Nafnet(inputs, outputs, self)


class _Nafnet(nn.Module):
    def __init__(self, inputs: int, outputs: int, option: Nafnet) -> None:
        super().__init__()
        widths = [option.width << level for level in range(len(option.down) + 1)]
        self.first = nn.Conv2d(inputs, option.width, 3, padding=1)
        self.down = nn.ModuleList(map(_blocks, widths, option.down))
        self.halvings = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle = _blocks(widths[-1], option.middle)
        self.doublings = nn.ModuleList(_double(c) for c in widths[:0:-1])
        self.up = nn.ModuleList(map(_blocks, widths[-2::-1], option.up))
        self.last = nn.Conv2d(option.width, outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.first(image)
        skips: list[Tensor] = []
        for blocks, halve in zip(self.down, self.halvings, strict=True):
            skips.append(blocks(features))
            features = halve(skips[-1])
        features = self.middle(features)
        for double, blocks in zip(self.doublings, self.up, strict=True):
            features = blocks(double(features) + skips.pop())
        found: Tensor = self.last(features)
        return found


class Block(nn.Module):
    """Two branches, each added with a factor per channel that starts at 0: mixing, then channels.

    Norm, 1x1 to 2C, 3x3 per channel, gate, attention, 1x1; norm, 1x1 to 2C, gate, 1x1. The gate
    is the product of both halves of the channels; the attention multiplies channels by a 1x1
    convolution of their means. Maps (B, C, H, W) to the same shape; it starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        c = channels
        self.norm = LayerNorm2d(c)
        self.widen = nn.Conv2d(c, 2 * c, 1)
        self.mix = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c)
        self.attention = nn.Conv2d(c, c, 1)
        self.project = nn.Conv2d(c, c, 1)
        self.scale = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.second_norm = LayerNorm2d(c)
        self.second_widen = nn.Conv2d(c, 2 * c, 1)
        self.second_project = nn.Conv2d(c, c, 1)
        self.second_scale = nn.Parameter(torch.zeros(1, c, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        mixed = _gate(self.mix(self.widen(self.norm(features))))
        mixed = mixed * self.attention(functional.adaptive_avg_pool2d(mixed, 1))
        features = features + self.project(mixed) * self.scale
        turned = _gate(self.second_widen(self.second_norm(features)))
        found: Tensor = features + self.second_project(turned) * self.second_scale
        return found


class LayerNorm2d(nn.LayerNorm):
    """Mean 0 and deviation 1 over the channels of every pixel, then a factor and a shift."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, features: Tensor) -> Tensor:
        last: Tensor = super().forward(features.movedim(1, -1))
        return last.movedim(-1, 1)


def _gate(features: Tensor) -> Tensor:
    one, two = features.chunk(2, dim=1)
    return one * two


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def _double(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))
