"""The layers of a U-Net that answers at a quarter of the size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lamina.model.modules.unet_decoder import Head, UnetDecoder


class QuarterUnetModule(nn.Module):
    """An encoder of six maps, a decoder of its last four, and a head that enlarges four times.

    Maps (B, inputs, H, W) to (B, outputs, H, W); H and W are multiples of 32.
    """

    def __init__(
        self, encoder: nn.Module, outputs: int, *, filters: Sequence[int], upsample: str
    ) -> None:
        """Put decoder and head behind ``encoder``, whose ``out_channels`` are six.

        Args:
            encoder: Its last four maps are at 1/4, 1/8, 1/16 and 1/32 of the size.
            outputs: Channels of the answer.
            filters: Channels of the decoder at 1/16, 1/8 and 1/4 of the size.
            upsample: How logits are enlarged: nearest or bilinear.
        """
        super().__init__()
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        head = Head(filters[-1], outputs, 4, upsample)
        decoder = UnetDecoder(widths[5], widths[4:1:-1], filters)
        self.encoder, self.decoder, self.segmentation_head = encoder, decoder, head

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        logits: Tensor = self.segmentation_head(self.decoder(maps[5], maps[4:1:-1]))
        return logits
