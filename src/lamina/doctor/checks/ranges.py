"""Images whose types or ranges of values differ from those of the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.data.case import Case
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, first_names


@dataclass(frozen=True)
class Ranges:
    """8 bits among 16, 0..1 among 0..255: a network sees such images dark, bright or empty."""

    times: float = 8.0
    """A greatest value that many times below or above the median of its type is odd."""
    least: int = 3
    """Images of a type from which on a median says something."""
    name: str = "ranges"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the images of a rarer type, and those with an odd range within their type."""
        looks = [
            look
            for look in examined.looks
            if look.problem is None and look.image_digest and look.low < look.high
        ]
        if not looks:
            return
        mixed = list(mixed_types([look.case for look in looks]))
        odd = list(self._odd(looks))
        yield from mixed
        yield from odd
        if not mixed and not odd:
            yield Finding("fine", "values", "types and ranges are alike")

    def _odd(self, looks: Sequence[CaseStatistics]) -> Iterator[Finding]:
        by_type: dict[np.dtype[Any], list[CaseStatistics]] = defaultdict(list)
        for look in looks:
            by_type[look.case.image.dtype].append(look)
        for dtype, same in by_type.items():
            if len(same) < self.least or dtype == np.uint8:
                continue
            usual = float(np.median([_reach(look) for look in same]))
            odd = [
                look
                for look in same
                if not usual / self.times <= _reach(look) <= usual * self.times
            ]
            if odd and len(odd) * 2 < len(same):
                names = [f"{look.case.id} ({look.low:g} to {look.high:g})" for look in odd]
                yield Finding(
                    "warning",
                    first_names(names),
                    f"{len(odd)} of {len(same)} images of {dtype} have another range than the "
                    f"others, whose greatest value is about {usual:g}",
                    "scale them alike, or set frame.normalise.kind to case",
                )


def mixed_types(cases: Sequence[Case]) -> Iterator[Finding]:
    """Yield the rarer types with their cases; no pixel is read."""
    types = Counter(str(case.image.dtype) for case in cases)
    if len(types) < 2:
        return
    usual = types.most_common(1)[0][0]
    for dtype in sorted(types.keys() - {usual}):
        names = [case.id for case in cases if str(case.image.dtype) == dtype]
        yield Finding(
            "warning",
            first_names(names),
            f"{len(names)} of {len(cases)} images are of {dtype}, the others mostly of {usual}",
            f"save them as {usual} in the range of the others, or set frame.normalise.kind to case",
        )


def _reach(look: CaseStatistics) -> float:
    return max(abs(look.low), abs(look.high))
