"""A U-Net of up-convolutions: grow and convolve, then meet the encoder and convolve again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from lamina.errors import RecipeError
from lamina.model.networks.encoded import Encoded

if TYPE_CHECKING:
    from torch import nn

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=4, max_length=4)]


class UpconvUnet(Encoded):  # SIIM-9 by default; SIIM-10 has gates and wider filters
    """Nearest x2, 3x3 convolution and ReLU; the skip joined; 3x3 convolution and ReLU; no norms.

    Every convolution starts as in He et al. 2015 (normal, by its inputs), its bias at 0; then
    weights are loaded.
    """

    kind: Literal["upconv_unet"] = "upconv_unet"

    encoder: str = "resnet50"
    """Name of an encoder that halves five times, of segmentation_models_pytorch or of timm."""

    filters: Widths = (64, 128, 256, 256)
    """Channels of the decoder where it meets the encoder at 1/2, 1/4, 1/8 and 1/16 of the size."""

    last: PositiveInt = 64
    """Channels at full size, before the last 1x1 convolution."""

    attention: Literal["none", "scse_max"] = "none"  # SIIM-10
    """scse_max: after each skip, gates of channels and of pixels, and of both answers the larger
    at each element (Roy et al. 2018, the maximum)."""

    reduction: PositiveInt = 2
    """The gate of channels passes through this many times fewer."""

    @model_validator(mode="after")
    def _gates_have_channels(self) -> Self:
        if self.attention != "none" and self.reduction > min(self.filters):
            raise ValueError(
                f"reduction is {self.reduction}, more than the {min(self.filters)} channels of "
                "the narrowest of filters"
            )
        return self

    @property
    def multiple(self) -> int:
        """32: the encoder halves five times."""
        return self._multiple(32)

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Raises:
            RecipeError: the encoder does not exist, or does not halve five times.
            BundleError: starting weights are not on this machine or do not fit.
        """
        from lamina.model.modules.upconv_unet import UpconvUnetModule

        encoder = self._bare_encoder(inputs)
        widths = list(encoder.out_channels)  # type: ignore[arg-type]
        if len(widths) != 6 or 0 in widths:
            raise RecipeError(
                f"network.encoder is '{self.encoder}', which has no map at every half of the size; "
                "upconv_unet needs one that has, such as resnet50 or efficientnet-b3"
            )
        reduction = self.reduction if self.attention == "scse_max" else None
        network = UpconvUnetModule(
            encoder, outputs, filters=self.filters, last=self.last, reduction=reduction
        )
        self._start(network, inputs)
        return network
