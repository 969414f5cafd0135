"""Files in the data that nothing reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.readers import look_below
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted, first_names


@dataclass(frozen=True)
class PassedOverFiles:
    """A file that is passed over is mostly meant to be an image: another type, a lost link."""

    name: str = "passed_over"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the files that are not read, those with one reason together."""
        if examined.root is None:
            return
        if examined.data is None:
            passed = look_below(examined.root).passed
        else:
            passed = examined.data.passed_over(examined.root)
        by_reason: dict[str, list[str]] = defaultdict(list)
        for one in passed:
            by_reason[one.reason].append(str(one.path))
        for reason, names in by_reason.items():
            what, _, remedy = reason.partition("; ")
            yield Finding(
                "warning",
                first_names(names),
                f"not read: {counted(len(names), 'file')}, since each {what}",
                remedy or "convert them if they are images, or take them out of the folder",
            )
        if not passed:
            yield Finding("fine", "files", "none is passed over")
