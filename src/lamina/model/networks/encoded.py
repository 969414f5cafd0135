"""Networks around an encoder of segmentation_models_pytorch or timm, and its starting weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from lamina.errors import RecipeError
from lamina.model import weights as files
from lamina.model.gradient_checkpointing import checkpointing
from lamina.model.networks.base import Network
from lamina.model.networks.encoders import (
    bare_encoder,
    encoder_name,
    hub_file,
    plain_encoder,
    published_size,
)
from lamina.model.networks.vit_pyramid import VitPyramid
from lamina.model.stems import Stem

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

    checkpointing: bool = False  # INK-17
    """Compute the blocks of the network twice in a training step, and keep less."""

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
        """Return the encoder by itself, at its random start; see ``bare_encoder``."""
        name = encoder_name(self.encoder)
        return bare_encoder(name, inputs, self._sizes(name))

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
            self._load_encoder(network, name, hub_file(name, self.encoder), inputs)
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
        plain = plain_encoder(
            name, tensors, depth=self._depth, sizes=self._sizes(name), source=str(path)
        )
        self._fit_encoder(network, plain.state_dict(), inputs, str(path))

    def _fit_encoder(
        self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: int, source: str
    ) -> None:
        encoder = network.get_submodule("encoder")
        if isinstance(encoder, VitPyramid):
            tensors = encoder.with_own(tensors)
        files.fit(encoder, tensors, inputs=inputs, stem=self.stem, source=source)


def _start_at(head: nn.Module, prior: float) -> None:
    convolutions = [one for one in head.modules() if isinstance(one, nn.Conv2d)]
    last = convolutions[-1]
    if last.bias is not None:
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))


def _refuse_other_sizes(name: str, size: int, encoder: nn.Module, args: tuple[Any, ...]) -> None:
    del encoder
    rows, columns = args[0].shape[-2:]
    if rows % size or columns % size:
        raise RecipeError(
            f"encoder '{name}' is made for images of {size}x{size} pixels or multiples, not of "
            f"{rows}x{columns}; set frame.size and predict.tile to such, or network.image_size"
        )
