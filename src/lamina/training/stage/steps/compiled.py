"""The network of a stage, compiled by torch for the shapes of its batches."""

from __future__ import annotations

import time
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from lamina.progress import say
from lamina.training.process_state import own_random_state

SHAPES = 2
"""Shapes that are compiled: batches of an epoch are of nearly equal size. Others, which are few,
pass through the network itself."""


class CompiledNetwork:
    """A network that is called in its compiled form where that works, else as it is.

    Each shape is compiled by itself, never for any size: compiled U-Nets fail there. Weights, their
    names and the running statistics are those of the network, which must be in training mode.
    """

    def __init__(self, network: nn.Module, title: str, *, backend: str | Any = "inductor") -> None:
        """Compile nothing yet.

        Args:
            network: Has the weights.
            title: What lines begin with.
            backend: Of ``torch.compile``.
        """
        self._network, self._title = network, title
        self._compiled = torch.compile(network, dynamic=False, backend=backend)
        self._works: dict[tuple[int, ...], bool] = {}

    def __call__(self, image: Tensor) -> Any:
        """Return what the network answers; up to rounding."""
        shape = tuple(image.shape)
        if shape not in self._works and len(self._works) < SHAPES:
            self._works[shape] = all(self._works.values()) and self._tried(image)
        return (self._compiled if self._works.get(shape) else self._network)(image)

    def _tried(self, image: Tensor) -> bool:
        """Compile both ways for a batch; gradients, statistics and chance stay as they were."""
        values = list(self._network.parameters())
        gradients = [value.grad for value in values]
        buffers = [(buffer, buffer.clone()) for buffer in self._network.buffers()]
        for value in values:
            value.grad = None
        begun = time.monotonic()
        try:
            with warnings.catch_warnings(action="ignore"), own_random_state(image.device):
                answer = self._compiled(image)
                sizes = [answer] if isinstance(answer, Tensor) else list(answer)
                torch.autograd.backward([one.float().sum() for one in sizes])
        except Exception as error:  # noqa: BLE001 - compilers fail in many ways; the network works
            cause = getattr(error, "inner_exception", error)  # torch wraps that of its backend
            why = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
            say(f"{self._title}: cannot be compiled, and is trained as it is: {why}")
            return False
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
            for value, gradient in zip(values, gradients, strict=True):
                value.grad = gradient
        sides = " x ".join(map(str, image.shape))
        say(f"{self._title}: compiled for batches of {sides} in {time.monotonic() - begun:.0f} s")
        return True
