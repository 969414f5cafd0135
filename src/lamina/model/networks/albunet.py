"""AlbuNet: a ResNet that pools once more before its centre, and a decoder without batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.networks.encoded import Encoded

if TYPE_CHECKING:
    from torch import nn


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
        from lamina.model.modules.albunet import AlbuNetModule

        network = AlbuNetModule(self._bare_encoder(inputs), self.filters, outputs)
        self._start(network, inputs)
        return network
