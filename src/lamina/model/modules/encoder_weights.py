"""Starting weights of networks around an encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from lamina.model import weights as files
from lamina.model.inflate import inflated
from lamina.model.modules.encoders import encoder_name, hub_file, plain_encoder, sizes_of
from lamina.model.modules.vit_pyramid import VitPyramid
from lamina.model.stems import adapt

_HEADS = ("fc.", "_fc.", "last_linear.", "classifier.", "linear.", "head.")


@dataclass(frozen=True)
class EncoderWeights:
    """Weights to start a network with, and what of its encoder decides how they are read."""

    source: str
    """``imagenet``, or the path of a safetensors file."""

    encoder: str
    """As the recipe names it."""

    image_size: int | None
    """As the recipe says."""

    depth: int
    """How often the encoder halves its input."""

    inputs: int
    """Channels that the first convolution takes."""

    stem: str
    """How weights for red, green, blue serve another number of channels."""

    def load(self, network: nn.Module) -> None:
        """Load them into ``network``, or into its ``encoder``.

        Weights of two axes are inflated where the encoder has three.

        Raises:
            BundleError: the weights are not on this machine or do not fit.
        """
        name = encoder_name(self.encoder)
        encoder = network.get_submodule("encoder")
        if self.source == "imagenet":
            self._load_published(encoder, name, hub_file(name, self.encoder))
            return
        path = Path(self.source)
        tensors = files.read(path)
        if any(key.startswith("encoder.") for key in tensors):
            files.fit(network, tensors, inputs=self.inputs, stem=self.stem, source=str(path))
        elif tensors.keys() & encoder.state_dict().keys():
            tensors = {key: tensors[key] for key in tensors if not key.startswith(_HEADS)}
            self._fit(encoder, tensors, str(path))
        else:
            self._load_published(encoder, name, path)

    def _load_published(self, encoder: nn.Module, name: str, path: Path) -> None:
        """Load a published file: a plain encoder takes it in its library's way, then lends it."""
        sizes = sizes_of(self.encoder, name, self.image_size)
        tensors = files.read(path)
        plain = plain_encoder(name, tensors, depth=self.depth, sizes=sizes, source=str(path))
        self._fit(encoder, plain.state_dict(), str(path))

    def _fit(self, encoder: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
        own = encoder.state_dict()
        tensors = {name: _as_deep(tensors[name], own.get(name)) for name in tensors}
        if isinstance(encoder, VitPyramid):
            tensors = encoder.with_own(tensors)
        if self.inputs == 3:  # the shapes fit as they are, and yet letters name other planes
            first = _first_convolution(own)
            tensors = {**tensors, first: adapt(tensors[first], 3, self.stem)}
        files.fit(encoder, tensors, inputs=self.inputs, stem=self.stem, source=source)


def start_at(head: nn.Module, prior: float) -> None:
    """Set the bias of the last convolution so that every output starts at probability ``prior``."""
    convolutions = [module for module in head.modules() if isinstance(module, nn.Conv2d)]
    last = convolutions[-1]
    if last.bias is not None:
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))


def _first_convolution(tensors: Mapping[str, Tensor]) -> str:
    """Return the name of the weights that see the three channels of an image."""
    return next(
        name for name, tensor in tensors.items() if tensor.ndim >= 4 and tensor.shape[1] == 3
    )


def _as_deep(given: Tensor, own: Tensor | None) -> Tensor:
    if own is None or own.ndim != 5 or given.ndim != 4:
        return given
    return inflated(given, own.shape[2])
