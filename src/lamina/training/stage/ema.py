"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lamina.recipe.stage import Ema


class Average:
    """Running average of the parameters (NOISE-13); batch statistics are the network's own.

    ``tensors`` are float32 copies on the network's device, by parameter name.
    """

    def __init__(self, option: Ema, network: nn.Module) -> None:
        self._option = option
        self.tensors = {
            name: value.detach().float().clone() for name, value in network.named_parameters()
        }
        device = next(iter(self.tensors.values())).device
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._steps = torch.zeros((), dtype=wide, device=device)

    @property
    def steps(self) -> int:
        """Steps taken; the device is waited for."""
        return int(self._steps)

    def decay(self, steps_per_epoch: int) -> Tensor:
        """Share of the old average at the coming step, one of so many of its epoch; a scalar."""
        option, n = self._option, self._steps + 1
        decay = option.decay if option.per == "step" else option.decay ** (1 / steps_per_epoch)
        if not option.warmup:
            return torch.full_like(n, decay)
        return ((1 + n) / (10 + n)).clamp(max=decay)

    @torch.no_grad()
    def update(
        self, network: nn.Module, *, steps_per_epoch: int, taken: Tensor | None = None
    ) -> None:
        """Take one step towards the network's present weights.

        Args:
            network: Has the weights.
            steps_per_epoch: Steps of its epoch.
            taken: Whether the network took the step, a scalar of bool on its device; None: yes.
        """
        share = (1 - self.decay(steps_per_epoch)).float()
        if taken is not None:
            share = share * taken
        for name, value in network.named_parameters():
            self.tensors[name].lerp_(value.detach().float(), share)
        self._steps += 1 if taken is None else taken

    def load(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Go on from a saved average."""
        for name, value in tensors.items():
            self.tensors[name].copy_(value)
        self._steps.fill_(steps)

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Lend the averaged weights to ``network`` for the block, then give its own back."""
        own = {name: value.detach().clone() for name, value in network.named_parameters()}
        self._copy(self.tensors, network)
        try:
            yield
        finally:
            self._copy(own, network)

    @staticmethod
    @torch.no_grad()
    def _copy(tensors: Mapping[str, Tensor], network: nn.Module) -> None:
        for name, value in network.named_parameters():
            value.copy_(tensors[name].to(value.dtype))
