"""Networks of segmentation_models_pytorch: any of its architectures with any encoder."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import RecipeError
from lamina.model.downscale import shrink
from lamina.model.networks.encoded import Encoded
from lamina.model.networks.encoders import UNBUILT, encoder_name, library, why_unbuilt

_CLASSES = {
    "unet": "Unet",
    "unet_plus_plus": "UnetPlusPlus",
    "fpn": "FPN",
    "deeplabv3": "DeepLabV3",
    "deeplabv3_plus": "DeepLabV3Plus",
    "manet": "MAnet",
    "linknet": "Linknet",
    "pspnet": "PSPNet",
    "pan": "PAN",
    "upernet": "UPerNet",
    "segformer": "Segformer",
}
_OURS = {"self", "encoder_name", "encoder_weights", "in_channels", "classes", "activation"}
_REFUSED = {
    "aux_params",  # a second answer
    "kwargs",  # options that nobody checks
    "upsampling",  # follows from the depth, so that the answer is as big as the image
}
_UPSAMPLING = {"pspnet": 0, "fpn": 3}  # 2 to the encoder's depth less this


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
        make = getattr(library("segmentation_models_pytorch"), _CLASSES[self.kind])
        options, name = self._options(make), encoder_name(self.encoder)
        try:
            network: nn.Module = make(
                encoder_name=name,
                encoder_weights=None,
                in_channels=inputs,
                classes=outputs,
                activation=None,
                **self._sizes(name),
                **options,
            )
        except UNBUILT as error:
            raise RecipeError(
                f"network {self.kind} with encoder '{self.encoder}' cannot be built: "
                f"{why_unbuilt(error)}"
            ) from error
        _forgive_single_values(network.get_submodule("decoder"))
        self._start(network, inputs)
        if self.dropout:
            head = network.get_submodule("segmentation_head")
            network.segmentation_head = _DroppedHead(head, self.dropout)
        shrink(network, self.shrink)
        return network

    def _options(self, make: type[nn.Module]) -> dict[str, Any]:
        """Return the decoder's options, every one known to the architecture."""
        known = sorted(set(inspect.signature(make).parameters) - _OURS - _REFUSED)
        for key in self.decoder:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise RecipeError(
                    f"network.decoder.{key} is not an option of {self.kind}{hint}"
                    f"\n  options are {', '.join(known)}"
                )
        options: dict[str, Any] = dict(self.decoder)
        if self.kind in _UPSAMPLING:
            options["upsampling"] = 1 << max(self._depth - _UPSAMPLING[self.kind], 0)
        return options


class _DroppedHead(nn.Sequential):
    """The head with channel dropout before it; names of weights stay as they were."""

    def __init__(self, head: nn.Module, p: float) -> None:
        super().__init__(*head.children())
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        dropped = functional.dropout2d(features, self.p, self.training)
        for layer in self:
            dropped = layer(dropped)
        return dropped


class _BatchNorm(nn.BatchNorm2d):
    """Batch norm that uses its running values where a channel has a single one to learn from.

    Decoders that pool an image to one pixel would else fail on a last batch of one image.
    """

    def forward(self, features: Tensor) -> Tensor:
        if self.training and features.numel() == features.shape[1]:
            return functional.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(features)


def _forgive_single_values(decoder: nn.Module) -> None:
    for parent in list(decoder.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                norm = _BatchNorm(child.num_features, child.eps, child.momentum, child.affine)
                setattr(parent, name, norm)
