"""DRUNet: a U of residual blocks that are two convolutions and a ReLU, without any norm.

Zhang et al. 2021, Plug-and-play image restoration with deep denoiser prior; here it finds the
noise, and no map of the noise's strength goes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from lamina.model.networks.plain import Plain

if TYPE_CHECKING:
    from torch import nn


class Drunet(Plain):
    """A 3x3 convolution, residual blocks at ever half the size, and back up.

    Down is a 2x2 convolution of stride 2, up a 1x1 convolution and a pixel shuffle; skips are
    added. Each block starts as the identity. Without norms, an answer has no use for what else is
    in the batch, and low precision costs little.
    """

    kind: Literal["drunet"] = "drunet"

    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (64, 128, 256, 512)
    """Channels at each size, the largest first."""

    blocks: int = Field(default=4, ge=1)
    """Residual blocks at each size, on the way down and again on the way up."""

    unshuffle: int = Field(default=1, ge=1, le=8)
    """Squares of so many pixels a side become the channels of one, and again pixels at the end:
    with 2 it takes a quarter of the time (Zhang et al. 2018, FFDNet)."""

    @property
    def multiple(self) -> int:
        """2 to the number of halvings, times ``unshuffle``."""
        return self.unshuffle << (len(self.widths) - 1)

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        from lamina.model.modules.drunet import DrunetModule

        return DrunetModule(
            inputs, outputs, widths=self.widths, blocks=self.blocks, unshuffle=self.unshuffle
        )
