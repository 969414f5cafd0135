"""One two-axis network for every few neighbouring slices, and one answer of all of them.

Letters: B batch, C channels (the slices), N windows, D slices of a window, K outputs, H and W rows
and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor, nn

from lamina.errors import RecipeError
from lamina.model import weights as files
from lamina.model.networks.albunet import AlbuNet
from lamina.model.networks.base import Network
from lamina.model.networks.pixel_shuffle import PixelShuffle
from lamina.model.networks.quarter_unet import QuarterUnet
from lamina.model.networks.smp import Smp
from lamina.model.networks.upconv_unet import UpconvUnet

Aggregate = Literal["conv", "mean", "max", "attention"]


def unet_unless_told(value: Any) -> Any:
    """Return options of a network with the kind ``unet`` where they name none."""
    if not isinstance(value, dict):
        return value
    # Whatever passes here is no longer JSON, where a list is what a tuple is checked by.
    told = {key: tuple(one) if isinstance(one, list) else one for key, one in value.items()}
    return {"kind": "unet", **told}


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
            if option.residual or option.activation != "identity":
                key = "residual" if option.residual else "activation"
                raise ValueError(
                    f"{name}{key} is {str(getattr(option, key)).lower()}, but what several windows "
                    "find is no noise and no value of one image; leave it out"
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
        windows = self.windows(inputs)
        make, maps = _AGGREGATES[self.aggregate]
        network = self.network.build(self.window, outputs * maps)
        network.aggregate = make(windows, outputs)
        network.register_forward_pre_hook(partial(_split, self.window, self.step))
        network.register_forward_hook(partial(_join, windows))
        if self.weights != "none":
            tensors = files.read(Path(self.weights))
            files.fit(network, tensors, inputs=self.window, stem="sum", source=self.weights)
        return network


def _split(window: int, step: int, network: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    """(B, C, H, W) to (BN, D, H, W), channels last in memory."""
    del network
    image: Tensor = args[0]
    return (image.unfold(1, window, step).flatten(0, 1).permute(0, 3, 1, 2),)


def _join(windows: int, network: nn.Module, args: tuple[Any, ...], logits: Tensor) -> Tensor:
    """(BN, K, H, W) to (B, K, H, W)."""
    del args
    maps = logits.reshape(-1, windows, *logits.shape[1:])
    answer: Tensor = network.get_submodule("aggregate")(maps)
    return answer


class _Conv(nn.Module):
    """One 1x1 convolution from the N maps of an output to its one."""

    def __init__(self, windows: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(windows * outputs, outputs, 1, groups=outputs)
        nn.init.constant_(self.conv.weight, 1 / windows)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, logits: Tensor) -> Tensor:
        answer: Tensor = self.conv(logits.transpose(1, 2).flatten(1, 2))
        return answer


class _Mean(nn.Module):
    def __init__(self, windows: int, outputs: int) -> None:
        super().__init__()

    def forward(self, logits: Tensor) -> Tensor:
        return logits.mean(1)


class _Max(_Mean):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.amax(1)


class _Attention(_Mean):
    """Of 2K maps the first K are logits; the softmax of the others over the windows weighs them."""

    def forward(self, logits: Tensor) -> Tensor:
        values, scores = logits.chunk(2, 2)
        # Exponentials of half precision overflow at a score of 11.
        return (scores.float().softmax(1) * values.float()).sum(1)


_AGGREGATES: dict[Aggregate, tuple[Callable[[int, int], nn.Module], int]] = {
    "conv": (_Conv, 1),
    "mean": (_Mean, 1),
    "max": (_Max, 1),
    "attention": (_Attention, 2),
}
"""How windows are joined, and the maps of an output that each needs from the network."""
