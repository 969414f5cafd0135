"""DRUNet: a U of residual blocks that are two convolutions and a ReLU, without any norm.

Zhang et al. 2021, Plug-and-play image restoration with deep denoiser prior; here it finds the
noise, and no map of the noise's strength goes in.
Letters: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from lamina.model.networks.pixel_shuffle import shuffled
from lamina.model.networks.plain import Plain


class Drunet(Plain):
    """A 3x3 convolution, residual blocks at ever half the size, and back up.

    Down is a 2x2 convolution of stride 2, up a 1x1 convolution and a pixel shuffle; skips are
    added. Each block starts as the identity. Without norms, an answer has no use for what else is
    in the batch, and low precision costs little.
    """

    kind: Literal["drunet"] = "drunet"

    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (64, 128, 256, 512)
    """Channels at each size, the largest first."""

    blocks: int = Field(default=4, ge=1)
    """Residual blocks at each size, on the way down and again on the way up."""

    unshuffle: int = Field(default=1, ge=1, le=8)
    """Squares of so many pixels a side become the channels of one, and again pixels at the end:
    with 2 it takes a quarter of the time (Zhang et al. 2018, FFDNet)."""

    @property
    def multiple(self) -> int:
        """2 to the number of halvings, times ``unshuffle``."""
        return self.unshuffle << (len(self.widths) - 1)

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        return _Drunet(inputs, outputs, self)


class _Drunet(nn.Module):
    def __init__(self, inputs: int, outputs: int, option: Drunet) -> None:
        super().__init__()
        widths, side = option.widths, option.unshuffle
        # Shuffles of one pixel change nothing and are left out.
        self.small = nn.PixelUnshuffle(side) if side > 1 else nn.Identity()
        self.large = nn.PixelShuffle(side) if side > 1 else nn.Identity()
        self.first = nn.Conv2d(inputs * side**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(c, option.blocks) for c in widths[:-1])
        self.halvings = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.middle = _blocks(widths[-1], option.blocks)
        self.doublings = nn.ModuleList(
            shuffled(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.up = nn.ModuleList(_blocks(c, option.blocks) for c in widths[-2::-1])
        self.last = nn.Conv2d(widths[0], outputs * side**2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.first(self.small(image))
        skips: list[Tensor] = []
        for blocks, halve in zip(self.down, self.halvings, strict=True):
            skips.append(blocks(features))
            features = halve(skips[-1])
        features = self.middle(features)
        for double, blocks in zip(self.doublings, self.up, strict=True):
            features = blocks(double(features) + skips.pop())
        found: Tensor = self.large(self.last(features))
        return found


class Block(nn.Module):
    """x + conv(ReLU(conv(x))), 3x3 each. Maps (B, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.one.weight, nonlinearity="relu")
        nn.init.zeros_(self.one.bias)  # type: ignore[arg-type]
        nn.init.zeros_(
            self.two.weight
        )  # the identity: deep ones learn at high rates from the start
        nn.init.zeros_(self.two.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = features + self.two(self.relu(self.one(features)))
        return found


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))
