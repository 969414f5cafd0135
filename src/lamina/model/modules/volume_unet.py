"""The layers of a network of three axes with a decoder of two.

Letters: B batch, D, H and W depth, rows and columns, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lamina.model.inflate import inflate
from lamina.model.modules.unet_decoder import Head, UnetDecoder

_STEPS = ("conv1", "maxpool", "layer2", "layer3", "layer4")


class VolumeUnetModule(nn.Module):
    """An inflated ResNet, the mean or maximum of its maps over depth, and a U-Net's decoder.

    Maps (B, D, H, W) to (B, K, H, W); H and W are multiples of 32.
    """

    def __init__(
        self,
        encoder: nn.Module,
        outputs: int,
        *,
        depth_strides: Sequence[int],
        pool: str,
        filters: Sequence[int],
    ) -> None:
        """Inflate ``encoder`` in place, and put decoder and head behind it.

        Args:
            encoder: A ResNet of two axes and one channel.
            outputs: Channels of the answer.
            depth_strides: Along depth, of the first convolution, the pool and the last three
                groups of blocks.
            pool: mean or max.
            filters: Channels of the decoder from 1/16 to full size.
        """
        super().__init__()
        for name, stride in zip(_STEPS, depth_strides, strict=True):
            setattr(encoder, name, inflate(encoder.get_submodule(name), stride=stride))
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        decoder = UnetDecoder(widths[5], [*widths[4:0:-1], 0], filters)
        head = Head(filters[-1], outputs, 1, "nearest")
        self.encoder = inflate(encoder, stride=1)
        self.decoder, self.segmentation_head = decoder, head
        self.pool = pool

    def forward(self, image: Tensor) -> Tensor:
        maps: Sequence[Tensor] = self.encoder(image.unsqueeze(1))
        flat = [m.mean(2) if self.pool == "mean" else m.amax(2) for m in maps[1:]]
        logits: Tensor = self.segmentation_head(self.decoder(flat[4], flat[3::-1]))
        return logits
