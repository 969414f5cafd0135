"""Networks of segmentation_models_pytorch: any of its architectures with any encoder."""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, JsonValue
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import BundleError, RecipeError
from lamina.model import weights as files
from lamina.model.networks.base import Network
from lamina.model.shrink import shrink
from lamina.model.stems import Stem

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
_WRAPPERS = re.compile(r"^(model\.|body\.)+")
_HEADS = ("fc.", "_fc.", "last_linear.", "classifier.", "linear.", "head.")


class Smp(Network):
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

    encoder: str = "resnet18"
    """Name of an encoder of segmentation_models_pytorch, or of timm (``tu-`` may be left out)."""

    weights: str = "none"
    """Starting weights: none; imagenet, for the encoder; or the path of a safetensors file, for
    the encoder or the whole network."""

    stem: Stem = "sum"
    """How starting weights for red, green, blue serve another number of channels."""

    decoder: dict[str, JsonValue] = Field(default_factory=dict)
    """Options of the architecture by the library's names, such as ``decoder_channels``."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability to drop a channel before the last convolution."""

    prior: float | None = Field(default=None, gt=0, lt=1)
    """Probability that every output starts at, by the last bias (Lin et al. 2017, RetinaNet).

    A small one saves a network from scratch the steps in which it learns that most pixels are
    background; null: the library's start, about one half."""

    shrink: int = Field(default=1, ge=1, le=16)
    """The network sees means over squares of this many pixels; its logits are interpolated back.

    2 costs a quarter and sees twice as far; details finer than the squares are lost.
    """

    @property
    def multiple(self) -> int:
        """2 to the depth of the encoder: 32, or less where ``encoder_depth`` is; times ``shrink``.

        pan halves the encoder's last map three times more, which must leave a pixel: 128, or
        256 with an ``encoder_output_stride`` of 32.
        """
        if self.kind == "pan":
            wide = self.decoder.get("encoder_output_stride", 16) == 32
            return self.shrink * (256 if wide else 128)
        return self.shrink << self._depth

    @property
    def _depth(self) -> int:
        depth = self.decoder.get("encoder_depth", 3 if self.kind == "pspnet" else 5)
        return depth if isinstance(depth, int) and 1 <= depth <= 5 else 5

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        It has an ``encoder``, a ``decoder`` and a ``segmentation_head``, and maps
        (B, inputs, H, W) to (B, outputs, H, W) logits; H and W are multiples of ``multiple``.
        """
        library = _library("segmentation_models_pytorch")
        name = _encoder_name(self.encoder)
        make = getattr(library, _CLASSES[self.kind])
        options = self._options(make)
        try:
            network: nn.Module = make(
                encoder_name=name,
                encoder_weights=None,
                in_channels=inputs,
                classes=outputs,
                activation=None,
                **options,
            )
        except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            raise RecipeError(
                f"network {self.kind} with encoder '{self.encoder}' cannot be built: {error}"
            ) from error
        _forgive_single_values(network.get_submodule("decoder"))
        if self.prior is not None:
            _start_at(network.get_submodule("segmentation_head"), self.prior)
        if self.weights == "imagenet":
            self._load_encoder(network, name, _hub_file(name, self.encoder), inputs)
        elif self.weights != "none":
            self._load(network, name, Path(self.weights), inputs)
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

    def _load(self, network: nn.Module, name: str, path: Path, inputs: int) -> None:
        tensors = files.read(path)
        if any(key.startswith("encoder.") for key in tensors):
            files.fit(network, tensors, inputs=inputs, stem=self.stem, source=str(path))
        elif tensors.keys() & network.get_submodule("encoder").state_dict().keys():
            tensors = {key: tensors[key] for key in tensors if not key.startswith(_HEADS)}
            self._fit_encoder(network, tensors, inputs, str(path))
        else:
            self._load_encoder(network, name, path, inputs)

    def _load_encoder(self, network: nn.Module, name: str, path: Path, inputs: int) -> None:
        """Load a published file: a plain encoder takes it in its library's way, then lends it."""
        tensors = files.read(path)
        plain = _plain_encoder(name, tensors, depth=self._depth, source=str(path))
        self._fit_encoder(network, plain.state_dict(), inputs, str(path))

    def _fit_encoder(
        self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: int, source: str
    ) -> None:
        encoder = network.get_submodule("encoder")
        files.fit(encoder, tensors, inputs=inputs, stem=self.stem, source=source)


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


def _start_at(head: nn.Module, prior: float) -> None:
    convolutions = [one for one in head.modules() if isinstance(one, nn.Conv2d)]
    last = convolutions[-1]
    if last.bias is not None:
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))


def _forgive_single_values(decoder: nn.Module) -> None:
    for parent in list(decoder.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                norm = _BatchNorm(child.num_features, child.eps, child.momentum, child.affine)
                setattr(parent, name, norm)


def _library(name: str) -> ModuleType:
    """Import a library that takes seconds, only when a network is built."""
    return importlib.import_module(name)


def _encoder_name(encoder: str) -> str:
    """Return the library's name of ``encoder``, with ``tu-`` where it is timm's."""
    known = _library("segmentation_models_pytorch.encoders").encoders
    timm = _library("timm")
    if encoder in known:
        return encoder
    bare = encoder.removeprefix("tu-")
    if not timm.is_model(bare):
        names = sorted({*known, *timm.list_models()})
        near = difflib.get_close_matches(bare, names, 5, cutoff=0.5)
        raise RecipeError(
            f"network.encoder is '{encoder}', which neither segmentation_models_pytorch nor timm "
            f"has; near are {', '.join(near) or 'none'}"
        )
    arch, _, tag = bare.partition(".")
    tags = [key.partition(".")[2] for key in timm.models.get_arch_pretrained_cfgs(arch)]
    if tag and tag not in tags:
        raise RecipeError(
            f"network.encoder is '{encoder}', but {arch} has no weights named '{tag}'; it has "
            f"{', '.join(filter(None, tags)) or 'none'}"
        )
    return f"tu-{bare}"


def _hub_file(name: str, encoder: str) -> Path:
    """Return the file of the encoder's imagenet weights."""
    repo: str | None = None
    revision: str | None = None
    if name.startswith("tu-"):
        config = _library("timm").models.get_pretrained_cfg(name.removeprefix("tu-"))
        repo = config.hf_hub_id if config is not None else None
    else:
        known = _library("segmentation_models_pytorch.encoders").encoders
        settings = known[name]["pretrained_settings"].get("imagenet")
        if settings is not None:
            repo, revision = settings["repo_id"], settings["revision"]
    if repo is None:
        raise BundleError(
            f"encoder '{encoder}' has no published imagenet weights; set network.weights to a "
            ".safetensors file, or to none"
        )
    return files.from_hub(repo, revision=revision, encoder=encoder)


def _plain_encoder(name: str, tensors: dict[str, Tensor], *, depth: int, source: str) -> nn.Module:
    """Return a three-channel encoder with a published file's weights."""
    get_encoder = _library("segmentation_models_pytorch.encoders").get_encoder
    try:
        if name.startswith("tu-"):
            overlay = {"state_dict": tensors, "source": ""}
            plain: nn.Module = get_encoder(
                name, depth=depth, weights=True, pretrained_cfg_overlay=overlay
            )
            _refuse_strange(plain, tensors, source)
            return plain
        plain = get_encoder(name, depth=depth, weights=None)
        plain.load_state_dict(dict(tensors))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{source}: these weights do not belong to encoder '{name}'\n  {error}"
        ) from error
    return plain


def _refuse_strange(plain: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise BundleError where most of an encoder's weights are not in the file.

    timm leaves what it does not find as it is, without a word. Its encoders rename ``stages.0``
    to ``stages_0`` and stand below ``model.``, so names are compared without both.
    """
    given = {name.replace(".", "_") for name in tensors}
    own = [_WRAPPERS.sub("", name) for name, _ in plain.named_parameters()]
    found = [name for name in own if name.replace(".", "_") in given]
    if 2 * len(found) < len(own):
        raise BundleError(
            f"{source}: these weights belong to another network; only {len(found)} of "
            f"{len(own)} tensors of the encoder are in it"
        )
