"""What every network option promises."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from lamina.errors import RecipeError
from lamina.spec import Spec

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["identity", "sigmoid"]


class Network(Spec):
    """A network that maps (B, inputs, *S) to (B, outputs, *S) logits of the same sides S.

    In training mode it may return a list of logits, from full size to coarser ones.
    """

    axes: ClassVar[tuple[int, ...]] = (2,)
    """How many spatial axes it can be built for: 2, images; 3, blocks of voxels."""

    residual: bool = False  # NOISE-19
    """In a restore task: the network predicts the noise, which is subtracted from the normalised
    input (Zhang et al. 2017). It needs as many outputs as inputs."""

    activation: Activation = "identity"  # NOISE-9
    """In a restore task: outputs as they are, or their sigmoid, within 0..1."""

    weights: str = "none"
    """Starting weights: none, or the path of a safetensors file of the whole network. A
    member of a bundle or a checkpoint of a run is refused for folds that hold out what it saw."""

    @model_validator(mode="after")
    def _noise_has_both_signs(self) -> Self:
        if self.residual and self.activation != "identity":
            raise ValueError(
                f"residual is true, and activation is {self.activation}: noise is not within "
                "0..1; set activation to identity, or residual to false"
            )
        return self

    @property
    def encoded(self) -> bool:
        """Whether the network has an ``encoder``, which may have a rate of its own."""
        return False

    def untrained(self) -> Self:
        """Return the network without starting weights, for weights that come from elsewhere."""
        return self.model_copy(update={"weights": "none"})

    def weight_files(self) -> tuple[str, ...]:
        """Return the paths of the files that starting weights are read from."""
        return () if self.weights in ("none", "imagenet") else (self.weights,)

    def suited(self, size: tuple[int, ...], spacing: tuple[float, ...] | None = None) -> Self:
        """Return the network for inputs of ``size``, with what follows from it filled in.

        Args:
            size: Sides of a training sample as the network sees it, in pixels.
            spacing: Distance between neighbours along each axis; None: not known.

        Raises:
            ValueError: its options do not suit the size.
        """
        del size, spacing
        return self

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights, from torch's current random state.

        Raises:
            RecipeError: encoder or options do not exist, or a residual network has other outputs
                than inputs.
            BundleError: starting weights are not on this machine or do not fit.
        """
        if self.residual and inputs != outputs:
            raise RecipeError(
                f"network.residual is true, but there are {inputs} inputs and {outputs} outputs; "
                "what is taken from the input must be as large: set it to false, or frame.channels "
                "to the number of outputs and frame.slices.context to 0"
            )
        from lamina.model.modules.narrow_convolution import exact_where_narrow
        from lamina.model.restoration import restoring

        network = self._build(inputs, outputs)
        exact_where_narrow(network)
        restoring(network, residual=self.residual, activation=self.activation)
        return network

    def check(self, inputs: int, outputs: int) -> None:
        """Build the network without weights or memory, on torch's meta device.

        Raises:
            RecipeError: as ``build``.
        """
        import torch

        with torch.device("meta"):
            self.untrained().build(inputs, outputs)

    @abstractmethod
    def _build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network as it is by itself, with its starting weights."""

    @property
    def multiples(self) -> tuple[int, ...]:
        """What the sides of an input must be multiples of, in pixels, for each axis."""
        return (self.multiple, self.multiple)

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What every side of an input must be a multiple of, in pixels."""

    def unfit(self, size: tuple[int, ...]) -> str | None:
        """Return what is wrong with inputs of ``size``, to follow the network's kind; None: fit."""
        multiples = self.multiples
        if len(size) != len(multiples):
            return f"is of {len(multiples)} axes"
        if all(n % m == 0 for n, m in zip(size, multiples, strict=True)):
            return None
        alike = len(set(multiples)) == 1
        return f"needs multiples of {multiples[0] if alike else list(multiples)}"
