"""A ResNet of three axes that sees slices as a volume, and a decoder of two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from lamina.model.networks.encoded import Encoded

if TYPE_CHECKING:
    from torch import nn

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]
Strides = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2)], ...], Field(min_length=5, max_length=5)
]


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
        from lamina.model.modules.volume_unet import VolumeUnetModule

        network = VolumeUnetModule(
            self._bare_encoder(1),
            outputs,
            depth_strides=self.depth_strides,
            pool=self.pool,
            filters=self.filters,
        )
        self._start(network, 1)
        return network
