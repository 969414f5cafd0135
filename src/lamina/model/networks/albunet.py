"""AlbuNet: a ResNet that pools once more before its centre, and a decoder without batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lamina.model.networks.encoded import Encoded


class AlbuNet(Encoded):  # SIIM-8
    """The U-Net with a ResNet-34 of Shvets et al. 2018 (angiodysplasia).

    The stem is pooled by 2x2 in place of 3x3/2, and the last map by 2x2 again. Of six blocks,
    each bilinear x2 and two 3x3 convolutions with ReLU, the middle four take a map of the encoder;
    a last 3x3 convolution with ReLU stands before the 1x1.
    """

    kind: Literal["albunet"] = "albunet"

    encoder: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] = "resnet34"
    """Which ResNet."""

    filters: int = Field(default=32, ge=1)
    """Width f of the last convolution; the blocks end in 8f, 8f, 8f, 2f, 4f and f channels."""

    @property
    def multiple(self) -> int:
        """64: the input is halved six times."""
        return 64

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Decoder and head start as torch's convolutions do. The classifier of the ResNet, which
        the published 35.1 million parameters include, is left out.
        """
        network = _AlbuNet(self._bare_encoder(inputs), self.filters, outputs)
        self._start(network, inputs)
        return network


class _AlbuNet(nn.Module):
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
        found: Tensor = self.last(features)
        return found


def _block(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        _conv_relu(inputs, middle),
        _conv_relu(middle, outputs),
    )


def _conv_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))
