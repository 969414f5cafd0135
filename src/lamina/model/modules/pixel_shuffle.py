"""The layers of a U-Net whose decoder grows by pixel shuffles.

Letters: B batch, C channels in, K channels out, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def shuffled(inputs: int, outputs: int) -> nn.Sequential:
    """Return what maps (B, C, H, W) to (B, K, 2H, 2W): a 1x1 convolution and a pixel shuffle.

    Channel 4k + 2i + j of the convolution becomes row 2y + i, column 2x + j of channel k. At the
    start these four are equal, so that each pixel is repeated.
    """
    convolution = nn.Conv2d(inputs, 4 * outputs, 1)
    quarter = nn.init.kaiming_normal_(torch.empty(outputs, inputs, 1, 1))
    with torch.no_grad():
        convolution.weight.copy_(quarter.repeat_interleave(4, 0))
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return nn.Sequential(convolution, nn.PixelShuffle(2))


class PixelShuffleModule(nn.Module):
    """An encoder, a decoder that grows by pixel shuffles, and a 3x3 convolution.

    Maps (B, inputs, H, W) to (B, outputs, H, W); H and W are multiples of 32.
    """

    def __init__(
        self, encoder: nn.Module, widths: Sequence[int], filters: Sequence[int], outputs: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = _Decoder(widths, filters)
        self.segmentation_head = nn.Sequential(nn.Conv2d(filters[0], outputs, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        logits: Tensor = self.segmentation_head(self.decoder([image, *maps[1:]]))
        return logits


class _Decoder(nn.Module):
    """From six maps, the image first, to features of its size."""

    def __init__(self, widths: Sequence[int], filters: Sequence[int]) -> None:
        super().__init__()
        below = [*filters[1:], widths[5]]
        self.ups = nn.ModuleList(map(shuffled, below, filters))
        self.joins = nn.ModuleList(
            nn.Sequential(*_layer(own + skip, own), *_layer(own, own))
            for own, skip in zip(filters, widths[:5], strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        features = maps[5]
        for level in (4, 3, 2, 1, 0):
            grown = self.ups[level](features)
            features = self.joins[level](torch.cat([grown, maps[level]], 1))
        return features


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),  # the norm has one
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
