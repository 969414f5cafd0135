"""Files that cannot be read to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted


@dataclass(frozen=True)
class Damaged:
    """Every file was read; what is cut off or damaged would stop a training in the middle."""

    name: str = "damaged"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name every image that cannot be read, and every one with values that are no numbers."""
        remedy = "copy the file again, or take it out of the data"
        for problem in examined.broken:
            where, _, what = problem.partition(": ")
            yield Finding("error", where, what, remedy)
        for look in examined.looks:
            if look.problem is not None:
                yield Finding("error", f"case {look.case.id}", look.problem, remedy)
            elif look.lost:
                what = f"{look.lost} values are NaN or infinite"
                yield Finding("error", f"case {look.case.id}", what, "fill them, or leave it out")
        read = [look for look in examined.looks if look.problem is None and not look.lost]
        if len(read) == len(examined.looks) and not examined.broken:
            yield Finding("fine", "files", f"{counted(len(read), 'image')}, read completely")
