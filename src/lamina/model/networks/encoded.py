"""Networks around an encoder of segmentation_models_pytorch or timm, and its starting weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from lamina.model.networks.base import Network
from lamina.model.stems import Stem

if TYPE_CHECKING:
    from torch import nn


class Encoded(Network):
    """A network with an ``encoder``, a ``decoder`` and a ``segmentation_head``."""

    encoder: str = "resnet18"
    """Name of an encoder of segmentation_models_pytorch, or of timm (``tu-`` may be left out)."""

    weights: str = "none"
    """Starting weights: none; imagenet, for the encoder; or the path of a safetensors file, for
    the encoder or the whole network. A member of a bundle or a checkpoint of a run is refused for
    folds that hold out what it saw."""

    stem: Stem = "sum"
    """How published weights for red, green and blue are adapted to another number of channels."""

    image_size: int | None = Field(default=None, ge=32)
    """Rows and columns that an encoder of windows, such as maxvit or swinv2, is made for; inputs
    are multiples of it. null: the size it was published for. For other encoders leave it out."""

    checkpointing: bool = False  # INK-17
    """Gradient checkpointing: recompute blocks in the backward pass to save memory."""

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
        from lamina.model.modules.encoders import expect_size

        network = super().build(inputs, outputs)
        expect_size(network, self.encoder, self.image_size)
        if self.checkpointing:
            from lamina.model.gradient_checkpointing import checkpointing

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
        from lamina.model.modules.encoders import bare_encoder

        return bare_encoder(self.encoder, inputs, self.image_size)

    def _start(self, network: nn.Module, inputs: int) -> None:
        """Give ``network`` its starting weights: the prior of the last bias, then what is loaded.

        Raises:
            BundleError: the weights are not on this machine or do not fit.
        """
        from lamina.model.modules.encoder_weights import EncoderWeights, start_at

        if self.prior is not None:
            start_at(network.get_submodule("segmentation_head"), self.prior)
        if self.weights != "none":
            EncoderWeights(
                source=self.weights,
                encoder=self.encoder,
                image_size=self.image_size,
                depth=self._depth,
                inputs=inputs,
                stem=self.stem,
            ).load(network)
