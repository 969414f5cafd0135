"""Ranges of one axis of every volume, some to train on and some to validate on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from lamina.data.case import Case
from lamina.data.splits.base import Split
from lamina.errors import DataError, listed
from lamina.geometry.region import Region


class Sections(Split):
    """One fold: half-open ranges along an axis; what lies in no range is left out as a gap.

    A recipe writes ``validate``; in Python the field is ``validation``, since every pydantic
    model has a method of that name.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    kind: Literal["sections"] = "sections"
    cuts: ClassVar[bool] = True

    axis: str = "z"
    """Name of the axis that is cut."""

    train: tuple[tuple[int, int], ...] = Field(min_length=1)
    """Ranges [start, stop) to train on, in pixels along the axis."""

    validation: tuple[tuple[int, int], ...] = Field(alias="validate")
    """Ranges [start, stop) to validate on, in pixels along the axis; none: hold nothing out and
    train one member on ``train``, without a held-out score."""

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

    def assign(self, cases: Sequence[Case], root: Path) -> tuple[list[Case], list[int]]:
        """Cut every case; parts to train on have fold -1, parts to validate on fold 0.

        A part is called like ``raw[z0-14]`` and is a group of its own, since the recipe itself
        says that one volume stands on both sides. Facts of the whole are dropped.

        Raises:
            DataError: a case has no such axis, or ends before a range does; all are listed.
        """
        short = [problem for case in cases if (problem := self._misfit(case))]
        if short:
            raise DataError(listed("split: the ranges do not fit the data; correct them", short))
        spans = [(span, -1) for span in self.train] + [(span, 0) for span in self.validation]
        parts = [(self._part(case, *span), fold) for case in cases for span, fold in spans]
        return [part for part, _ in parts], [fold for _, fold in parts]

    def notes(self, cases: Sequence[Case]) -> list[str]:
        """Say what lies beyond the last range, and is neither trained nor validated on (READ-3)."""
        last = max(stop for _, stop in (*self.train, *self.validation))
        longer = [(case, n) for case in cases if (n := self._length(case)) is not None and n > last]
        if not longer:
            return []
        lines = [
            f"case {case.id}: {length - last} of {length} along '{self.axis}' (axes "
            f"'{case.image.axes}' {tuple(case.image.shape)})"
            for case, length in longer
        ]
        said = f"the ranges of split end at {last}, and volumes go on: what is beyond is not used"
        return [listed(f"{said}; correct split.axis, split.train and split.validate", lines)]

    def _length(self, case: Case) -> int | None:
        axes = case.image.axes
        return case.image.shape[axes.index(self.axis)] if self.axis in axes else None

    def _misfit(self, case: Case) -> str | None:
        axes, shape = case.image.axes, case.image.shape
        if self.axis not in axes:
            return f"case {case.id}: no axis '{self.axis}' in '{axes}'"
        length, last = (
            shape[axes.index(self.axis)],
            max(b for _, b in (*self.train, *self.validation)),
        )
        if last > length:
            return f"case {case.id}: {length} long along '{self.axis}', but a range ends at {last}"
        return None

    def _part(self, case: Case, start: int, stop: int) -> Case:
        at = case.image.axes.index(self.axis)
        whole = Region.whole(case.image.shape)
        box = Region(
            (*whole.start[:at], start, *whole.start[at + 1 :]),
            (*whole.stop[:at], stop, *whole.stop[at + 1 :]),
        )
        name = f"{case.id}[{self.axis}{start}-{stop}]"
        return replace(case.crop(box, name), group=name, facts={})
