"""DnCNN: one convolution after another at full size, which find the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.networks.plain import Plain

if TYPE_CHECKING:
    from torch import nn


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
        from lamina.model.modules.dncnn import DncnnModule

        return DncnnModule(inputs, outputs, self.depth, self.width)
