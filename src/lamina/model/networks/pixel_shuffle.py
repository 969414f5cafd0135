"""A U-Net whose decoder grows by pixel shuffles: it interpolates nothing.

Letters: B batch, C channels in, K channels out, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from lamina.model.networks.encoded import Encoded

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]


class PixelShuffle(Encoded):  # NOISE-10
    """1x1 convolution to four times the channels, shuffled to twice the size; the skip joined;
    3x3 convolution, batch norm and ReLU twice.

    The skip of the last stage is the image itself, so that nothing of full size has to pass
    through what the encoder keeps: a network that has to repeat its input comes as close as the
    arithmetic allows. The shuffles start as nearest neighbours, without a chequered pattern
    (Aitken et al. 2017, ICNR).
    """

    kind: Literal["pixel_shuffle"] = "pixel_shuffle"

    filters: Widths = (16, 32, 64, 128, 256)
    """Channels of the decoder at full size, 1/2, 1/4, 1/8 and 1/16 of it."""

    @property
    def multiple(self) -> int:
        """32: the encoder halves five times."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        encoder = self._bare_encoder(inputs)
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        network = _PixelShuffle(encoder, [inputs, *widths[1:]], self.filters, outputs)
        self._start(network, inputs)
        return network


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


class _PixelShuffle(nn.Module):
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
