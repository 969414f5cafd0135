"""Networks of segmentation_models_pytorch: any of its architectures with any encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from lamina.model.networks.encoded import Encoded
from lamina.spec import ADDED_LATER

if TYPE_CHECKING:
    from torch import nn


_IN_BLOCKS = ("unet", "manet", "linknet")


class Smp(Encoded):
    """An encoder, a decoder and a last convolution; logits without activation.

    Sources: Iakubovskii's segmentation_models_pytorch; the papers stand in its documentation.
    """

    kind: Literal[
        "unet",
        "unet_plus_plus",
        "fpn",
        "deeplabv3",
        "deeplabv3_plus",
        "manet",
        "linknet",
        "pspnet",
        "pan",
        "upernet",
        "segformer",
    ] = "unet"

    decoder: dict[str, JsonValue] = Field(default_factory=dict)
    """Options of the architecture by the library's names, such as ``decoder_channels``."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability to drop a channel before the last convolution."""

    shrink: int = Field(default=1, ge=1, le=16)
    """The network sees means over squares of this many pixels; its logits are interpolated back.

    2 costs a quarter and sees twice as far; details finer than the squares are lost.
    """

    supervision: Annotated[bool, ADDED_LATER] = False
    """In training the decoder answers at 1/2, 1/4 and 1/8 of the size too (deep supervision): with
    weights 1, 1/2, 1/4, 0, divided by their sum. For unet, manet and linknet."""

    @model_validator(mode="after")
    def _decoder_has_coarser_maps(self) -> Self:
        if not self.supervision:
            return self
        if self.kind not in _IN_BLOCKS:
            raise ValueError(
                f"supervision is true, and the decoder of {self.kind} has no map at every half of "
                f"the size; set it to false, or kind to {', '.join(_IN_BLOCKS)}"
            )
        if self.residual or self.activation != "identity":
            raise ValueError(
                "supervision is true, and residual or activation are of full size alone; leave one "
                "out"
            )
        return self

    @model_validator(mode="after")
    def _noise_is_found_at_full_size(self) -> Self:
        if self.residual and self.shrink > 1:
            raise ValueError(
                f"residual is true, and shrink is {self.shrink}: noise cannot be found in means "
                "over pixels; set shrink to 1, or residual to false"
            )
        return self

    @property
    def multiple(self) -> int:
        """2 to the depth of the encoder: 32, or less where ``encoder_depth`` is; times ``shrink``.

        pan halves the encoder's last map three times more, which must leave a pixel: 128, or
        256 with an ``encoder_output_stride`` of 32.
        """
        if self.kind == "pan":
            wide = self.decoder.get("encoder_output_stride", 16) == 32
            return self._multiple(256 if wide else 128) * self.shrink
        return self._multiple(1 << self._depth) * self.shrink

    @property
    def _depth(self) -> int:
        depth = self.decoder.get("encoder_depth", 3 if self.kind == "pspnet" else 5)
        return depth if isinstance(depth, int) and 1 <= depth <= 5 else 5

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        It has an ``encoder``, a ``decoder`` and a ``segmentation_head``, and maps
        (B, inputs, H, W) to (B, outputs, H, W) logits; H and W are multiples of ``multiple``.
        """
        from lamina.model.downscale import shrink
        from lamina.model.modules.smp import drop_channels, smp_network

        network = smp_network(
            self.kind,
            inputs,
            outputs,
            encoder=self.encoder,
            image_size=self.image_size,
            depth=self._depth,
            decoder=self.decoder,
        )
        if self.supervision:
            from lamina.model.modules.supervised_decoder import supervise

            side = self.multiple // self.shrink
            supervise(network, inputs, outputs, side, self.prior)
        self._start(network, inputs)
        if self.dropout:
            drop_channels(network, self.dropout)
        shrink(network, (self.shrink, self.shrink))
        return network
