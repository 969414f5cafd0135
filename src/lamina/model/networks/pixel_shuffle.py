"""A U-Net whose decoder grows by pixel shuffles: it interpolates nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from lamina.model.networks.encoded import Encoded

if TYPE_CHECKING:
    from torch import nn

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]


class PixelShuffle(Encoded):  # NOISE-10
    """1x1 convolution to four times the channels, shuffled to twice the size; the skip joined;
    3x3 convolution, batch norm and ReLU twice.

    The skip of the last stage is the image itself, so that nothing of full size has to pass
    through what the encoder keeps: a network that has to repeat its input comes as close as the
    arithmetic allows. The shuffles start as nearest neighbours, without a chequered pattern
    (Aitken et al. 2017, ICNR).
    """

    kind: Literal["pixel_shuffle"] = "pixel_shuffle"

    filters: Widths = (16, 32, 64, 128, 256)
    """Channels of the decoder at full size, 1/2, 1/4, 1/8 and 1/16 of it."""

    @property
    def multiple(self) -> int:
        """32: the encoder halves five times."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        from lamina.model.modules.pixel_shuffle import PixelShuffleModule

        encoder = self._bare_encoder(inputs)
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        network = PixelShuffleModule(encoder, [inputs, *widths[1:]], self.filters, outputs)
        self._start(network, inputs)
        return network
