"""NAFNet: a U of blocks without any activation function but the product of two halves.

Chen et al. 2022, Simple baselines for image restoration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from lamina.model.networks.plain import Plain

if TYPE_CHECKING:
    from torch import nn


class Nafnet(Plain):
    """A 3x3 convolution, blocks at ever half the size with twice the channels, and back up.

    Down is a 2x2 convolution of stride 2, up a 1x1 convolution and a pixel shuffle; skips are
    added. The defaults are the paper's 36 blocks of width 32. Its channel attention averages over
    what the network is shown: predict in tiles of the training size.
    """

    kind: Literal["nafnet"] = "nafnet"

    width: PositiveInt = 32
    """Channels at full size; twice as many at each half."""

    down: tuple[NonNegativeInt, ...] = Field(default=(2, 2, 4, 8), min_length=1)
    """Blocks at full size, 1/2, ... before each halving."""

    middle: int = Field(default=12, ge=0)
    """Blocks at the smallest size."""

    up: tuple[NonNegativeInt, ...] = Field(default=(2, 2, 2, 2), min_length=1)
    """Blocks after each doubling, from the smallest size to full size; as many as ``down``."""

    @model_validator(mode="after")
    def _what_goes_down_comes_up(self) -> Self:
        if len(self.down) != len(self.up):
            raise ValueError(
                f"down halves {len(self.down)} times, and up doubles {len(self.up)} times; name as "
                "many numbers of blocks for both"
            )
        return self

    @property
    def multiple(self) -> int:
        """2 to the number of halvings."""
        return 1 << len(self.down)

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        from lamina.model.modules.nafnet import NafnetModule

        return NafnetModule(
            inputs, outputs, width=self.width, down=self.down, middle=self.middle, up=self.up
        )
