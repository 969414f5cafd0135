"""A choice between transforms."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from lamina.data.transforms.base import Transform

if TYPE_CHECKING:
    from lamina.data.transforms import Single


class OneOf(Transform):  # STEEL-7
    """Exactly one of several transforms, of any kinds.

    A member's ``p`` is its weight: it is chosen with p over the sum of all, and then happens for
    certain. What was chosen takes part in the one warp or table like any transform.
    """

    kind: Literal["one_of"] = "one_of"

    p: float = Field(default=1.0, ge=0, le=1)
    """Probability that a member is chosen at all."""

    of: tuple[Annotated[Single, Field(discriminator="kind")], ...] = Field(min_length=1)
    """The members."""

    @field_validator("of")
    @classmethod
    def _one_can_be_chosen(cls, of: tuple[Single, ...]) -> tuple[Single, ...]:
        if not any(member.p for member in of):
            raise ValueError("every p of its members is 0; one of them must be above")
        return of

    @property
    def moves_planes(self) -> bool:
        """Whether any member does."""
        return any(member.moves_planes for member in self.of)

    @property
    def exchanges(self) -> bool:
        """Whether any member does."""
        return any(member.exchanges for member in self.of)

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Transform, Any] | None:
        """Return the chosen member and what it will do."""
        if rng.random() >= self.p:
            return None
        edges, certain = self._choice
        return certain[bisect_right(edges, rng.random())].draw(size, rng)

    @cached_property
    def _choice(self) -> tuple[list[float], list[Transform]]:
        """Upper edges of the members' shares of 0..1, and members that happen for certain."""
        weights = [member.p for member in self.of]
        shares = [weight / sum(weights) for weight in weights]
        edges = [*accumulate(shares[:-1]), 1.0]
        last = max(k for k, weight in enumerate(weights) if weight)
        edges[last:] = [1.0] * (len(edges) - last)  # rounding never chooses what weighs nothing
        return edges, [member.model_copy(update={"p": 1.0}) for member in self.of]
