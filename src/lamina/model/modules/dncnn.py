"""The layers of DnCNN."""

from __future__ import annotations

from torch import Tensor, nn


class DncnnModule(nn.Module):
    """``depth`` 3x3 convolutions of ``width`` channels; they start as in He et al. 2015.

    Maps (B, inputs, H, W) to (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, depth: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True))
        self.middle = nn.Sequential(*(_layer(width) for _ in range(depth - 2)))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor) -> Tensor:
        noise: Tensor = self.last(self.middle(self.first(image)))
        return noise


def _layer(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),  # the norm has one
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
