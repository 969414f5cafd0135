"""Networks around an encoder of segmentation_models_pytorch or timm, and its starting weights."""

from __future__ import annotations

import difflib
import importlib
import math
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from lamina.errors import BundleError, RecipeError
from lamina.model import weights as files
from lamina.model.checkpointing import checkpointing
from lamina.model.networks.base import Network
from lamina.model.stems import Stem

_WRAPPERS = re.compile(r"^(model\.|body\.)+")
UNBUILT = (ValueError, TypeError, KeyError, RuntimeError, AttributeError)
"""What the libraries raise where a network cannot be built."""
_HEADS = ("fc.", "_fc.", "last_linear.", "classifier.", "linear.", "head.")


class Encoded(Network):
    """A network with an ``encoder``, a ``decoder`` and a ``segmentation_head``."""

    encoder: str = "resnet18"
    """Name of an encoder of segmentation_models_pytorch, or of timm (``tu-`` may be left out)."""

    weights: str = "none"
    """Starting weights: none; imagenet, for the encoder; or the path of a safetensors file, for
    the encoder or the whole network."""

    stem: Stem = "sum"
    """How starting weights for red, green, blue serve another number of channels."""

    image_size: int | None = Field(default=None, ge=32)
    """Rows and columns that an encoder of windows, such as maxvit or swinv2, is made for; inputs
    are multiples of it. null: the size it was published for. For other encoders leave it out."""

    checkpointing: bool = False
    """Compute the blocks of the network twice in a training step, and keep less (INK-17)."""

    prior: float | None = Field(default=None, gt=0, lt=1)
    """Probability that every output starts at, by the last bias (Lin et al. 2017, RetinaNet).

    A small one saves a network from scratch the steps in which it learns that most pixels are
    background; null: the library's start, about one half."""

    @property
    def encoded(self) -> bool:
        """True."""
        return True

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state."""
        network = super().build(inputs, outputs)
        size = self.image_size or published_size(encoder_name(self.encoder))
        if size is not None:
            hook = partial(_refuse_other_sizes, self.encoder, size)
            network.get_submodule("encoder").register_forward_pre_hook(hook)
        if self.checkpointing:
            checkpointing(network)
        return network

    @property
    def _depth(self) -> int:
        """How often the encoder halves its input."""
        return 5

    def _multiple(self, own: int) -> int:
        """Return what sizes must be multiples of, where the network itself needs ``own``."""
        return own if self.image_size is None else math.lcm(own, self.image_size)

    def _bare_encoder(self, inputs: int) -> nn.Module:
        """Return the encoder by itself, at its random start.

        It maps (B, inputs, H, W) to a list of 6 maps: the input, then halved once to five times.
        """
        get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
        name = encoder_name(self.encoder)
        try:
            encoder: nn.Module = get_encoder(
                name, in_channels=inputs, depth=5, weights=None, **self._sizes(name)
            )
        except UNBUILT as error:
            raise RecipeError(
                f"encoder '{self.encoder}' cannot be built: {why_unbuilt(error)}"
            ) from error
        return encoder

    def _sizes(self, name: str) -> dict[str, Any]:
        """Return what an encoder of windows has to be told of sizes; nothing for others.

        Raises:
            RecipeError: a size is given for an encoder that takes any.
        """
        if published_size(name) is None:
            if self.image_size is None:
                return {}
            raise RecipeError(
                f"network.image_size is {self.image_size}, but encoder '{self.encoder}' takes "
                "images of any size; leave it out"
            )
        told = {} if self.image_size is None else {"img_size": self.image_size}
        # By themselves these take one size only, and no multiples of it.
        return told | ({"strict_img_size": False} if name.startswith("tu-swin") else {})

    def _start(self, network: nn.Module, inputs: int) -> None:
        """Give ``network`` its starting weights: the prior of the last bias, then what is loaded.

        Raises:
            BundleError: the weights are not on this machine or do not fit.
        """
        if self.prior is not None:
            _start_at(network.get_submodule("segmentation_head"), self.prior)
        if self.weights == "none":
            return
        name = encoder_name(self.encoder)
        if self.weights == "imagenet":
            self._load_encoder(network, name, _hub_file(name, self.encoder), inputs)
        else:
            self._load(network, name, Path(self.weights), inputs)

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
        plain = _plain_encoder(
            name, tensors, depth=self._depth, sizes=self._sizes(name), source=str(path)
        )
        self._fit_encoder(network, plain.state_dict(), inputs, str(path))

    def _fit_encoder(
        self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: int, source: str
    ) -> None:
        encoder = network.get_submodule("encoder")
        files.fit(encoder, tensors, inputs=inputs, stem=self.stem, source=source)


def _start_at(head: nn.Module, prior: float) -> None:
    convolutions = [one for one in head.modules() if isinstance(one, nn.Conv2d)]
    last = convolutions[-1]
    if last.bias is not None:
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))


def library(name: str) -> ModuleType:
    """Import a library that takes seconds, only when a network is built."""
    return importlib.import_module(name)


def published_size(name: str) -> int | None:
    """Return the rows of the images that an encoder of windows was published for; None: any.

    ``name`` is the library's, see ``encoder_name``.
    """
    if not name.startswith("tu-"):
        return None
    config = library("timm").models.get_pretrained_cfg(name.removeprefix("tu-"))
    fixed = config is not None and config.fixed_input_size
    return int(config.input_size[-1]) if fixed else None


def why_unbuilt(error: Exception) -> str:
    """Return what a library says of a network that it cannot build, in words."""
    if "downsampling pattern" in str(error):
        return (
            "it has no pyramid of maps at 1/4, 1/8, 1/16 and 1/32 of the size (a plain vision "
            "transformer such as eva02 or vit has one map); encoders that have are convnextv2, "
            "caformer, swinv2, maxvit and all that are convolutional"
        )
    return str(error)


def _refuse_other_sizes(name: str, size: int, encoder: nn.Module, args: tuple[Any, ...]) -> None:
    del encoder
    rows, columns = args[0].shape[-2:]
    if rows % size or columns % size:
        raise RecipeError(
            f"encoder '{name}' is made for images of {size}x{size} pixels or multiples, not of "
            f"{rows}x{columns}; set frame.size and predict.tile to such, or network.image_size"
        )


def encoder_name(encoder: str) -> str:
    """Return the library's name of ``encoder``, with ``tu-`` where it is timm's."""
    known = library("segmentation_models_pytorch.encoders").encoders
    timm = library("timm")
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
        config = library("timm").models.get_pretrained_cfg(name.removeprefix("tu-"))
        repo = config.hf_hub_id if config is not None else None
    else:
        known = library("segmentation_models_pytorch.encoders").encoders
        settings = known[name]["pretrained_settings"].get("imagenet")
        if settings is not None:
            repo, revision = settings["repo_id"], settings["revision"]
    if repo is None:
        raise BundleError(
            f"encoder '{encoder}' has no published imagenet weights; set network.weights to a "
            ".safetensors file, or to none"
        )
    return files.from_hub(repo, revision=revision, encoder=encoder)


def _plain_encoder(
    name: str,
    tensors: dict[str, Tensor],
    *,
    depth: int,
    sizes: Mapping[str, Any],
    source: str,
) -> nn.Module:
    """Return a three-channel encoder with a published file's weights."""
    get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
    try:
        if name.startswith("tu-"):
            overlay = {"state_dict": tensors, "source": ""}
            plain: nn.Module = get_encoder(
                name, depth=depth, weights=True, pretrained_cfg_overlay=overlay, **sizes
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
