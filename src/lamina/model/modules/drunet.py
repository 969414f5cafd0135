"""The layers of DRUNet. Letters: B batch, C channels, H and W rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lamina.model.modules.pixel_shuffle import shuffled


class DrunetModule(nn.Module):
    """The whole network; arguments are named after the options of ``Drunet``.

    Maps (B, inputs, H, W) to (B, outputs, H, W).
    """

    def __init__(
        self, inputs: int, outputs: int, *, widths: Sequence[int], blocks: int, unshuffle: int
    ) -> None:
        super().__init__()
        side = unshuffle
        # Shuffles of one pixel change nothing and are left out.
        self.small = nn.PixelUnshuffle(side) if side > 1 else nn.Identity()
        self.large = nn.PixelShuffle(side) if side > 1 else nn.Identity()
        self.first = nn.Conv2d(inputs * side**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(c, blocks) for c in widths[:-1])
        self.halvings = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.middle = _blocks(widths[-1], blocks)
        self.doublings = nn.ModuleList(
            shuffled(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.up = nn.ModuleList(_blocks(c, blocks) for c in widths[-2::-1])
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
