"""A ResNet of three axes that sees slices as a volume, and a decoder of two axes.

Letters: B batch, C channels, D, H and W depth, rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from lamina.model.inflate import inflate, inflated
from lamina.model.networks.encoded import Encoded
from lamina.model.networks.unet_decoder import Head, UnetDecoder

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]
Strides = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2)], ...], Field(min_length=5, max_length=5)
]
_STEPS = ("conv1", "maxpool", "layer2", "layer3", "layer4")


class VolumeUnet(Encoded):
    """Channels of the input are the depth of a volume of one channel; its maps are pooled over the
    depth that is left, and go to a U-Net's decoder.

    The encoder is a ResNet whose weights of two axes are repeated along depth and divided
    (Carreira and Zisserman 2017); it takes any number of slices.
    """

    kind: Literal["volume_unet"] = "volume_unet"

    encoder: Literal[
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
    ] = "resnet18"
    """Which ResNet, before it is inflated."""

    depth_strides: Strides = (1, 2, 2, 2, 2)
    """Whether slices are kept (1) or halved (2) where rows are: in the first convolution, in the
    pool, and where the second, third and fourth group of blocks begin."""

    pool: Literal["mean", "max"] = "mean"
    """How a map of slices becomes one for the decoder."""

    filters: Widths = (256, 128, 64, 32, 16)
    """Channels of the decoder at 1/16, 1/8, 1/4, 1/2 and full size."""

    @property
    def multiple(self) -> int:
        """32: the encoder halves five times."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Starting weights of two axes are brought to one channel by ``stem``, and inflated.
        """
        encoder = self._bare_encoder(1)
        for name, stride in zip(_STEPS, self.depth_strides, strict=True):
            setattr(encoder, name, inflate(encoder.get_submodule(name), stride=stride))
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        decoder = UnetDecoder(widths[5], [*widths[4:0:-1], 0], self.filters)
        head = Head(self.filters[-1], outputs, 1, "nearest")
        network = _VolumeUnet(inflate(encoder, stride=1), decoder, head, pool=self.pool)
        self._start(network, 1)
        return network

    def _fit_encoder(
        self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: int, source: str
    ) -> None:
        own = network.get_submodule("encoder").state_dict()
        ready = {name: _as_deep(tensors[name], own.get(name)) for name in tensors}
        super()._fit_encoder(network, ready, inputs, source)


def _as_deep(given: Tensor, own: Tensor | None) -> Tensor:
    if own is None or own.ndim != 5 or given.ndim != 4:
        return given
    return inflated(given, own.shape[2])


class _VolumeUnet(nn.Module):
    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, head: nn.Module, *, pool: str
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.segmentation_head = encoder, decoder, head
        self.pool = pool

    def forward(self, image: Tensor) -> Tensor:
        """(B, D, H, W) to (B, K, H, W)."""
        maps: Sequence[Tensor] = self.encoder(image.unsqueeze(1))
        flat = [m.mean(2) if self.pool == "mean" else m.amax(2) for m in maps[1:]]
        logits: Tensor = self.segmentation_head(self.decoder(flat[4], flat[3::-1]))
        return logits
