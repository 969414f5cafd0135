"""The layers of a U-Net of up-convolutions. Letters: B batch, C channels, H, W rows, columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ScseMax(nn.Module):
    """max(x c(x), x s(x)): c gates channels by their means, s gates pixels by their channels.

    Maps (B, C, H, W) to the same shape. c is 1x1, ReLU, 1x1, sigmoid over the mean of each
    channel, with C / ``reduction`` in the middle; s is 1x1 without bias and sigmoid.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.channel_gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )
        self.pixel_gate = nn.Sequential(nn.Conv2d(channels, 1, 1, bias=False), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        return torch.maximum(
            features * self.channel_gate(features), features * self.pixel_gate(features)
        )


class UpconvUnetModule(nn.Module):
    """An encoder of five maps, a decoder of up-convolutions and a 1x1 convolution.

    Maps (B, inputs, H, W) to (B, outputs, H, W); H and W are multiples of 32.
    """

    def __init__(
        self,
        encoder: nn.Module,
        outputs: int,
        *,
        filters: Sequence[int],
        last: int,
        reduction: int | None,
    ) -> None:
        """Put decoder and head behind ``encoder``; all convolutions start as in He et al. 2015.

        Args:
            encoder: Its ``out_channels`` are those of the image and of five maps.
            outputs: Channels of the answer.
            filters: Channels of the decoder from 1/2 to 1/16 of the size.
            last: Channels at full size.
            reduction: Of the gates after each skip; None: there are none.
        """
        super().__init__()
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        self.encoder = encoder
        self.decoder = _Decoder(widths[1:], filters, last, reduction)
        self.segmentation_head = nn.Sequential(nn.Conv2d(last, outputs, 1))
        _start_as_he(self)

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        logits: Tensor = self.segmentation_head(self.decoder(maps[1:]))
        return logits


class _Decoder(nn.Module):
    """From five maps, the largest first, to features of the size of the image."""

    def __init__(
        self, widths: Sequence[int], filters: Sequence[int], last: int, reduction: int | None
    ) -> None:
        super().__init__()
        below = [*filters[1:], widths[4]]
        self.ups = nn.ModuleList(_up(a, b) for a, b in zip(below, filters, strict=True))
        self.joins = nn.ModuleList(
            _join(own + skip, own, reduction) for own, skip in zip(filters, widths[:4], strict=True)
        )
        self.last = _up(filters[0], last)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        features = maps[4]
        for level in (3, 2, 1, 0):
            grown = self.ups[level](features)
            features = self.joins[level](torch.cat([grown, maps[level]], 1))
        found: Tensor = self.last(features)
        return found


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *_conv_relu(inputs, outputs))


def _join(inputs: int, outputs: int, reduction: int | None) -> nn.Sequential:
    gate = [] if reduction is None else [ScseMax(outputs, reduction)]
    return nn.Sequential(*_conv_relu(inputs, outputs), *gate)


def _conv_relu(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)


def _start_as_he(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
