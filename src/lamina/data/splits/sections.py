"""Ranges of one axis of every volume, some to train on and some to validate on."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from lamina.data.splits.base import Split


class Sections(Split):
    """One fold: half-open ranges along an axis; what lies in no range is left out as a gap."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    kind: Literal["sections"] = "sections"

    axis: str = "z"
    """Name of the axis that is cut."""

    train: tuple[tuple[int, int], ...] = Field(min_length=1)
    """Ranges [start, stop) to train on, in pixels along the axis."""

    validation: tuple[tuple[int, int], ...] = Field(min_length=1, alias="validate")
    """Ranges [start, stop) to validate on, in pixels along the axis."""

    @model_validator(mode="after")
    def _ranges_do_not_overlap(self) -> Self:
        spans = sorted((*self.train, *self.validation))
        for start, stop in spans:
            if not 0 <= start < stop:
                raise ValueError(f"a range needs 0 <= start < stop, not [{start}, {stop}]")
        for left, right in pairwise(spans):
            if right[0] < left[1]:
                raise ValueError(
                    f"ranges {list(left)} and {list(right)} overlap; stops are exclusive, so "
                    "[0, 14] and [14, 20] would touch without a gap"
                )
        return self
