"""A U-Net that answers at a quarter of the size, enlarged at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from lamina.errors import RecipeError
from lamina.model.networks.encoded import Encoded

if TYPE_CHECKING:
    from torch import nn

Upsample = Literal["nearest", "bilinear"]
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=3, max_length=3)]


class QuarterUnet(Encoded):  # INK-17
    """Four maps of the encoder, at 1/4 to 1/32 of the size; three decoder blocks; 3x3 logits at a
    quarter of the size, enlarged four times.

    Each block is nearest x2, the skip joined, and twice 3x3 convolution, batch norm and ReLU. A
    map at half the size is left out, where an encoder has one: most transformers have none, and of
    the one map of plain ones, such as eva02 and vit, a pyramid is made (Li et al. 2022). With
    ``encoder: maxvit_rmlp_base_rw_384.sw_in12k_ft_in1k`` it is the network of the ink pipeline.
    """

    kind: Literal["quarter_unet"] = "quarter_unet"

    encoder: str = "convnextv2_nano"
    """Name of an encoder with maps at 1/4, 1/8, 1/16 and 1/32 of the size, of
    segmentation_models_pytorch or of timm."""

    filters: Widths = (256, 128, 64)
    """Channels of the decoder at 1/16, 1/8 and 1/4 of the size."""

    upsample: Upsample = "nearest"  # INK-17
    """How logits become four times as large: every one a square, or bilinear."""

    @property
    def multiple(self) -> int:
        """32, as the encoder halves five times, or what ``image_size`` asks for."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Raises:
            RecipeError: the encoder does not exist, or has no such maps.
            BundleError: starting weights are not on this machine or do not fit.
        """
        from lamina.model.modules.quarter_unet import QuarterUnetModule

        encoder = self._bare_encoder(inputs)
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        if len(widths) != 6:
            raise RecipeError(
                f"network.encoder is '{self.encoder}', which has {len(widths) - 1} maps; "
                "quarter_unet needs one that halves five times, such as resnet50 or convnextv2_tiny"
            )
        network = QuarterUnetModule(encoder, outputs, filters=self.filters, upsample=self.upsample)
        self._start(network, inputs)
        return network
