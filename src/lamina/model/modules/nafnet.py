"""The layers of NAFNet. Letters: B batch, C channels, H and W rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class NafnetModule(nn.Module):
    """The whole network; arguments are named after the options of ``Nafnet``.

    Maps (B, inputs, H, W) to (B, outputs, H, W).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        down: Sequence[int],
        middle: int,
        up: Sequence[int],
    ) -> None:
        super().__init__()
        widths = [width << level for level in range(len(down) + 1)]
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.down = nn.ModuleList(map(_blocks, widths, down))
        self.halvings = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle = _blocks(widths[-1], middle)
        self.doublings = nn.ModuleList(_double(c) for c in widths[:0:-1])
        self.up = nn.ModuleList(map(_blocks, widths[-2::-1], up))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

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
    values, gates = features.chunk(2, dim=1)
    return values * gates


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def _double(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))
