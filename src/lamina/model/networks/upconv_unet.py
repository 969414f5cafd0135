"""A U-Net of up-convolutions: grow and convolve, then meet the encoder and convolve again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from lamina.errors import RecipeError
from lamina.model.networks.encoded import Encoded

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=4, max_length=4)]


class UpconvUnet(Encoded):  # SIIM-9 by default; SIIM-10 has gates and wider filters
    """Nearest x2, 3x3 convolution and ReLU; the skip joined; 3x3 convolution and ReLU; no norms.

    Every convolution starts as in He et al. 2015 (normal, by its inputs), its bias at 0; then
    weights are loaded.
    """

    kind: Literal["upconv_unet"] = "upconv_unet"

    encoder: str = "resnet50"
    """Name of an encoder that halves five times, of segmentation_models_pytorch or of timm."""

    filters: Widths = (64, 128, 256, 256)
    """Channels of the decoder where it meets the encoder at 1/2, 1/4, 1/8 and 1/16 of the size."""

    last: PositiveInt = 64
    """Channels at full size, before the last 1x1 convolution."""

    attention: Literal["none", "scse_max"] = "none"  # SIIM-10
    """scse_max: after each skip, gates of channels and of pixels, and of both answers the larger
    at each element (Roy et al. 2018, the maximum)."""

    reduction: PositiveInt = 2
    """The gate of channels passes through this many times fewer."""

    @model_validator(mode="after")
    def _gates_have_channels(self) -> Self:
        if self.attention != "none" and self.reduction > min(self.filters):
            raise ValueError(
                f"reduction is {self.reduction}, more than the {min(self.filters)} channels of "
                "the narrowest of filters"
            )
        return self

    @property
    def multiple(self) -> int:
        """32: the encoder halves five times."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Raises:
            RecipeError: the encoder does not exist, or does not halve five times.
            BundleError: starting weights are not on this machine or do not fit.
        """
        encoder = self._bare_encoder(inputs)
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        if len(widths) != 6 or 0 in widths:
            raise RecipeError(
                f"network.encoder is '{self.encoder}', which has no map at every half of the size; "
                "upconv_unet needs one that has, such as resnet50 or efficientnet-b3"
            )
        reduction = self.reduction if self.attention == "scse_max" else None
        network = _UpconvUnet(
            encoder, _Decoder(widths[1:], self.filters, self.last, reduction), self.last, outputs
        )
        _start_as_he(network)
        self._start(network, inputs)
        return network


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


class _UpconvUnet(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module, last: int, outputs: int) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.segmentation_head = nn.Sequential(nn.Conv2d(last, outputs, 1))

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
