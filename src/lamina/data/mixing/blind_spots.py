"""Masked pixels, so that noisy images teach without clean ones."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.mixing.base import Mix, Samples


class BlindSpots(Mix):
    """A few pixels take the value of a neighbour, and only these count (Krull et al. 2019,
    Noise2Void).

    The target is the noisy image itself. Since a masked pixel's own value is not seen, what can be
    told of it from its neighbours is told, and its noise cannot be, as long as the noise of
    neighbours is independent.
    """

    needs_others: ClassVar[bool] = False
    only: ClassVar[Literal["masks", "values"] | None] = "values"

    kind: Literal["blind_spots"] = "blind_spots"

    p: float = Field(default=1.0, gt=0, le=1)
    """Probability that a sample has masked pixels; one without counts as a whole, which teaches to
    repeat the noise."""

    share: float = Field(default=0.01, gt=0, lt=0.5)
    """Share of the pixels that are masked."""

    reach: int = Field(default=2, ge=1)
    """Neighbours are at most so many rows and columns away."""

    def mix(self, stack: Samples, *, exclusive: bool, rng: np.random.Generator) -> Samples:
        """Return new samples with masked pixels, which alone count."""
        mixed = Samples(*(part.copy() for part in stack))
        for number in np.flatnonzero(rng.random(len(stack.image)) < self.p):
            own = mixed.sample(int(number))
            what = self.draw(stack.image.shape[2:], rng)
            self.join(own, stack.sample(int(number)), what, exclusive=exclusive)
        return mixed

    def draw(
        self, size: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...]]:
        """Return the places that are masked, and the neighbours whose values they take."""
        pixels = int(np.prod(size))
        count = max(1, round(self.share * pixels))
        places = np.unravel_index(rng.choice(pixels, count, replace=False), size)
        sides = np.array([min(self.reach, (n - 1) // 2) for n in size])
        window = 2 * sides + 1
        own = int(np.ravel_multi_index(tuple(sides), tuple(window)))
        others = rng.integers(int(np.prod(window)) - 1, size=count)
        others += others >= own  # any of the window but the pixel itself
        steps = np.unravel_index(others, tuple(window))
        neighbours = [
            _inside(place, step - side, n)
            for place, step, side, n in zip(places, steps, sides, size, strict=True)
        ]
        return tuple(places), tuple(neighbours)

    def join(
        self,
        own: Samples,
        other: Samples,
        what: tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...]],
        *,
        exclusive: bool,
    ) -> None:
        """Mask pixels of ``own`` by values of ``other``, which is the same sample unmasked."""
        del exclusive
        places: tuple[Any, ...] = (slice(None), *what[0])
        neighbours: tuple[Any, ...] = (slice(None), *what[1])
        own.image[places] = other.image[neighbours]
        own.valid[...] = 0
        own.valid[places] = other.valid[places]


def _inside(place: NDArray[np.int64], step: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return places moved by steps; those that would leave the image go the other way."""
    moved = place + step
    return np.where((moved < 0) | (moved >= length), place - step, moved)
