"""What every mixing of samples promises.

Samples of a batch are mixed once it is stacked, by a generator that belongs to the batch, so that
the number of workers changes nothing. Letters: B batch, C channels in, K outputs, H and W rows and
columns; blocks have a depth before H.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.spec import Spec

Floats = NDArray[np.float32]


class Samples(NamedTuple):
    """Stacked samples, or one of them without the first axis, float32."""

    image: Floats
    """(B, C, H, W), normalised."""

    target: Floats
    """(B, K, H, W): 0/1 per output, or values."""

    valid: Floats
    """(B, 1, H, W), 1 where a pixel counts."""

    def sample(self, number: int) -> Samples:
        """Return one sample; what is written to it is written to the stack."""
        return Samples(self.image[number], self.target[number], self.valid[number])


class Mix(Spec):
    """A change of samples by another of the same batch."""

    needs_others: ClassVar[bool] = True
    """Whether a batch of one sample stays as it is."""

    only: ClassVar[Literal["masks", "values"] | None] = None
    """What targets it is for; None: any."""

    p: float = Field(default=0.5, gt=0, le=1)
    """Probability that a sample is changed."""

    def mix(self, stack: Samples, *, exclusive: bool, rng: np.random.Generator) -> Samples:
        """Return new samples; ``stack`` stays as it is.

        Each sample is changed by another one as it was, drawn at random. A batch of one stays.

        Args:
            stack: A batch.
            exclusive: Whether the outputs are classes that exclude each other, the first of them
                the background.
            rng: Made for this batch.
        """
        count = len(stack.image)
        if count < 2:
            return stack
        chosen = np.flatnonzero(rng.random(count) < self.p)
        partners = (np.arange(count) + rng.integers(1, count, count)) % count
        mixed = Samples(*(part.copy() for part in stack))
        for number in map(int, chosen):
            what = self.draw(stack.image.shape[2:], rng)
            other = stack.sample(int(partners[number]))
            self.join(mixed.sample(number), other, what, exclusive=exclusive)
        return mixed

    @abstractmethod
    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> Any:
        """Return what to do to one sample of ``size``."""

    @abstractmethod
    def join(self, own: Samples, other: Samples, what: Any, *, exclusive: bool) -> None:
        """Change the sample ``own`` by ``other``, in place."""
