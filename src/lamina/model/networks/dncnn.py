"""DnCNN: one convolution after another at full size, which find the noise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from lamina.model.networks.plain import Plain


class Dncnn(Plain):
    """3x3 convolution and ReLU; 3x3, batch norm and ReLU, ``depth`` - 2 times; 3x3.

    Zhang et al. 2017, Beyond a Gaussian denoiser. Borders are filled with zeros; an answer depends
    on ``depth`` pixels around each. Convolutions start as in He et al. 2015.
    """

    kind: Literal["dncnn"] = "dncnn"

    depth: int = Field(default=17, ge=3)
    """Convolutions: 17 for noise of one strength, 20 where it is not known (DnCNN-B)."""

    width: int = Field(default=64, ge=1)
    """Channels between convolutions."""

    @property
    def multiple(self) -> int:
        """1: any size will do."""
        return 1

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        network = _Dncnn(inputs, outputs, self.depth, self.width)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        return network


class _Dncnn(nn.Module):
    def __init__(self, inputs: int, outputs: int, depth: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True))
        self.middle = nn.Sequential(*(_layer(width) for _ in range(depth - 2)))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        noise: Tensor = self.last(self.middle(self.first(image)))
        return noise


def _layer(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),  # the norm has one
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
