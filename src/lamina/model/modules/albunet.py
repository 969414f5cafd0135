"""The layers of AlbuNet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AlbuNetModule(nn.Module):
    """A ResNet that pools 2x2 where it pooled 3x3, a decoder of six blocks and a 1x1 convolution.

    Maps (B, inputs, H, W) to (B, outputs, H, W); H and W are multiples of 64.
    """

    def __init__(self, encoder: nn.Module, filters: int, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.maxpool = nn.MaxPool2d(2, 2)  # SIIM-8; the library's is 3x3 with stride 2
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        self.decoder = _Decoder(widths[:1:-1], filters)
        self.segmentation_head = nn.Sequential(nn.Conv2d(filters, outputs, 1))

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        logits: Tensor = self.segmentation_head(self.decoder(maps[:1:-1]))
        return logits


class _Decoder(nn.Module):
    """From four maps, the deepest first, to features of the size of the image."""

    def __init__(self, widths: Sequence[int], f: int) -> None:
        super().__init__()
        fifth, fourth, third, second = widths
        self.pool = nn.MaxPool2d(2, 2)
        self.centre = _block(fifth, 16 * f, 8 * f)
        self.blocks = nn.ModuleList(
            [
                _block(fifth + 8 * f, 16 * f, 8 * f),
                _block(fourth + 8 * f, 16 * f, 8 * f),
                _block(third + 8 * f, 8 * f, 2 * f),
                _block(second + 2 * f, 4 * f, 4 * f),
            ]
        )
        self.last = nn.Sequential(_block(4 * f, 4 * f, f), _conv_relu(f, f))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        features = self.centre(self.pool(maps[0]))
        for block, skip in zip(self.blocks, maps, strict=True):
            features = block(torch.cat([features, skip], 1))
        logits: Tensor = self.last(features)
        return logits


def _block(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        _conv_relu(inputs, middle),
        _conv_relu(middle, outputs),
    )


def _conv_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))
