"""Networks that are all their own, without an encoder of a library."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.model.networks.base import Network

if TYPE_CHECKING:
    from torch import nn


class Plain(Network):
    """A network without an ``encoder``, made to restore; it finds noise unless told otherwise."""

    residual: bool = True
    """In a restore task: the network predicts the noise, which is subtracted from the normalised
    input. It needs as many outputs as inputs. For other tasks set it to false."""

    def _build(self, inputs: int, outputs: int) -> nn.Module:
        network = self._bare(inputs, outputs)
        if self.weights != "none":
            from lamina.model import weights as files

            tensors = files.read(Path(self.weights))
            files.fit(network, tensors, inputs=inputs, stem="sum", source=self.weights)
        return network

    @abstractmethod
    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        """Return the network at its random start."""
