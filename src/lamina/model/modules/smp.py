"""Networks of segmentation_models_pytorch, and what is changed of them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import RecipeError
from lamina.model.modules.encoders import UNBUILT, encoder_name, sizes_of, why_unbuilt

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


def smp_network(
    kind: str,
    inputs: int,
    outputs: int,
    *,
    encoder: str,
    image_size: int | None,
    depth: int,
    decoder: Mapping[str, Any],
) -> nn.Module:
    """Return a network of the library at its random start.

    It has an ``encoder``, a ``decoder`` and a ``segmentation_head``, and maps (B, inputs, H, W)
    to (B, outputs, H, W) logits.

    Args:
        kind: The architecture, as a recipe names it.
        inputs: Channels of the image.
        outputs: Channels of the answer.
        encoder: As the recipe names it.
        image_size: Rows of the images that an encoder of windows is made for; None: as published.
        depth: How often the encoder halves its input.
        decoder: Options of the architecture by the library's names.

    Raises:
        RecipeError: encoder or options do not exist, or do not go together.
    """
    make = getattr(segmentation_models_pytorch, _CLASSES[kind])
    options, name = _options(make, kind, decoder, depth), encoder_name(encoder)
    try:
        network: nn.Module = make(
            encoder_name=name,
            encoder_weights=None,
            in_channels=inputs,
            classes=outputs,
            activation=None,
            **sizes_of(encoder, name, image_size),
            **options,
        )
    except UNBUILT as error:
        raise RecipeError(
            f"network {kind} with encoder '{encoder}' cannot be built: {why_unbuilt(error)}"
        ) from error
    _forgive_single_values(network.get_submodule("decoder"))
    return network


def _options(
    make: type[nn.Module], kind: str, decoder: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    """Return the decoder's options, every one known to the architecture."""
    known = sorted(set(inspect.signature(make).parameters) - _OURS - _REFUSED)
    for key in decoder:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise RecipeError(
                f"network.decoder.{key} is not an option of {kind}{hint}"
                f"\n  options are {', '.join(known)}"
            )
    options: dict[str, Any] = dict(decoder)
    if kind in _UPSAMPLING:
        options["upsampling"] = 1 << max(depth - _UPSAMPLING[kind], 0)
    return options


def drop_channels(network: nn.Module, p: float) -> None:
    """Drop channels with probability ``p`` before the ``segmentation_head``, in training mode."""
    network.segmentation_head = DroppedHead(network.get_submodule("segmentation_head"), p)


class DroppedHead(nn.Sequential):
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
