"""The members of one or more bundles, built when first needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import torch

from lamina.bundle import Bundle
from lamina.predict.engine import Member
from lamina.predict.memory import activations, available_memory, fit_batch, used_memory
from lamina.predict.policy import Chosen
from lamina.volume import Volume


class Crew:
    """Networks on their device; ``batch`` tiles at a time."""

    def __init__(
        self, bundles: Sequence[Bundle], device: torch.device, precision: torch.dtype | None
    ) -> None:
        """Build nothing yet."""
        self.bundles, self.device, self.precision = bundles, device, precision
        self._built: dict[tuple[int, int], Member] = {}

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        pairs = [(b, m) for b, one in enumerate(self.bundles) for m in range(len(one.members))]
        return [self.name(*pair) for pair in pairs]

    def name(self, bundle: int, number: int) -> str:
        """Return what a prediction calls a member; the bundle's number is in it if several."""
        name = self.bundles[bundle].members[number].name
        return name if len(self.bundles) == 1 else f"{bundle}:{name}"

    def members(self, chosen: Chosen) -> list[Member]:
        """Return the members that answer.

        Raises:
            BundleError: weights are missing, damaged or do not fit.
        """
        for pair in chosen.members:
            if pair not in self._built:
                bundle, number = self.bundles[pair[0]], pair[1]
                network = bundle.network(number).to(self.device)
                self._built[pair] = Member(network, bundle.members[number].normalise)
        return [self._built[pair] for pair in chosen.members]

    def fit(self, volumes: Iterable[Volume], memory: int | None) -> int:
        """Return the tiles per forward pass that the memory allows.

        Args:
            volumes: All that will be predicted; the largest counts.
            memory: Bytes the process may hold; None: half of what is free (on a GPU 80 %).

        Raises:
            ResourceError: not even one tile fits.
        """
        recipe = self.bundles[0].recipe
        used = used_memory()
        sample = torch.zeros((1, recipe.frame.inputs, *recipe.tile), device=self.device)
        network = self.members(Chosen(((0, 0),), "new"))[0].network
        each = activations(network, sample, self.precision)
        # The answer in float32, its stored copy in float16, and the image as it is stored.
        answer = 6 * recipe.task.outputs
        largest = max(
            prod(volume.shape) * (answer + volume.channels * volume.dtype.itemsize)
            for volume in volumes
        )
        if self.device.type == "cuda":
            free = int(torch.cuda.mem_get_info(self.device)[0] * 0.8)
            return fit_batch(each, largest, free)
        allowed = used + largest + available_memory() // 2 if memory is None else memory
        return fit_batch(each, used + largest, allowed)
