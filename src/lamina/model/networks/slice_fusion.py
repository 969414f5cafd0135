"""One two-axis network for every few neighbouring slices, and one answer of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lamina.errors import RecipeError
from lamina.model.networks.albunet import AlbuNet
from lamina.model.networks.base import Network
from lamina.model.networks.pixel_shuffle import PixelShuffle
from lamina.model.networks.quarter_unet import QuarterUnet
from lamina.model.networks.smp import Smp
from lamina.model.networks.upconv_unet import UpconvUnet

if TYPE_CHECKING:
    from torch import nn

Aggregate = Literal["conv", "mean", "max", "attention"]


def unet_unless_told(value: Any) -> Any:
    """Return options of a network with the kind ``unet`` where they name none."""
    if not isinstance(value, dict):
        return value
    # Whatever passes here is no longer JSON, where a list is what a tuple is checked by.
    return {"kind": "unet", **{key: _as_tuples(option) for key, option in value.items()}}


def _as_tuples(option: Any) -> Any:
    return tuple(map(_as_tuples, option)) if isinstance(option, list) else option


Planar = Annotated[
    Smp | AlbuNet | PixelShuffle | QuarterUnet | UpconvUnet,
    Field(discriminator="kind"),
    BeforeValidator(unet_unless_told),
]
"""A network with an encoder, of images."""


class SliceFusion(Network):  # INK-16: six windows of 3 slices, one 1x1 convolution
    """Windows of slices through one network, batch and windows merged, and one answer of their
    maps of logits.

    The weights of the network keep the names they have by themselves; those of the aggregation
    stand below ``aggregate``.
    """

    kind: Literal["slice_fusion"] = "slice_fusion"

    network: Planar = Smp()
    """What every window goes through. It has as many inputs as a window has slices: with 3, the
    starting weights for red, green, blue serve unchanged."""

    window: int = Field(default=3, ge=1)
    """Slices of a window; they are the channels of the input, in order."""

    step: int = Field(default=3, ge=1)
    """Slices from one window to the next; the last window has to end with the last slice."""

    aggregate: Aggregate = "conv"  # INK-16
    """How windows become one. conv: a weight for each window and output, and a bias, learnt, which
    start as the mean; mean, max: of the logits; attention: the mean by weights that the
    network answers besides, a softmax over the windows at every pixel (Ilse et al. 2018)."""

    @model_validator(mode="after")
    def _answers_are_logits_of_classes(self) -> Self:
        for name, option in (("", self), ("network.", self.network)):
            if getattr(option, "supervision", False):
                raise ValueError(
                    f"{name}supervision is true, but several windows have one answer; leave it out"
                )
            if option.residual or option.activation != "identity":
                key = "residual" if option.residual else "activation"
                raise ValueError(
                    f"{name}{key} is {str(getattr(option, key)).lower()}, but what several windows "
                    "find is neither noise nor a value of one image; leave it out"
                )
        return self

    @property
    def encoded(self) -> bool:
        """True: the network of the windows has an encoder."""
        return self.network.encoded

    @property
    def multiple(self) -> int:
        """That of the network."""
        return self.network.multiple

    def untrained(self) -> Self:
        """Return the fusion, and the network in it, without starting weights."""
        update = {"weights": "none", "network": self.network.untrained()}
        return self.model_copy(update=update)

    def weight_files(self) -> tuple[str, ...]:
        """Return the files of the fusion and of the network in it."""
        return super().weight_files() + self.network.weight_files()

    def windows(self, inputs: int) -> int:
        """Return how many windows there are of ``inputs`` slices.

        Raises:
            RecipeError: they do not end with the last slice.
        """
        rest = inputs - self.window
        if rest < 0 or rest % self.step:
            raise RecipeError(
                f"network.window is {self.window} and network.step is {self.step}, but there are "
                f"{inputs} slices; windows have to end with the last one: the network can see "
                f"{self.window}, {self.window + self.step}, {self.window + 2 * self.step}, ..."
            )
        return rest // self.step + 1

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state."""
        from lamina.model import weights as files
        from lamina.model.modules.slice_fusion import fuse, maps_of

        windows = self.windows(inputs)
        network = self.network.build(self.window, outputs * maps_of(self.aggregate))
        fuse(
            network,
            aggregate=self.aggregate,
            window=self.window,
            step=self.step,
            windows=windows,
            outputs=outputs,
        )
        if self.weights != "none":
            tensors = files.read(Path(self.weights))
            files.fit(network, tensors, inputs=self.window, stem="sum", source=self.weights)
        return network
