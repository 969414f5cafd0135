"""What every network option promises."""

from __future__ import annotations

from torch import nn

from lamina.spec import Spec


class Network(Spec):
    """A network that maps (B, inputs, H, W) to (B, outputs, H, W) logits of the same size."""

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network with its starting weights.

        Raises:
            RecipeError: encoder or options do not exist.
            BundleError: starting weights are not on this machine or do not fit.
        """
        raise NotImplementedError

    @property
    def multiple(self) -> int:
        """Rows and columns of an input must be multiples of this, in pixels."""
        raise NotImplementedError
