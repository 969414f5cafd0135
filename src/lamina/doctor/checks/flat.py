"""Images that show nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, first_names


@dataclass(frozen=True)
class Flat:
    """An image of one value teaches nothing, and often is a failed export (I10)."""

    name: str = "flat"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the images whose pixels are all equal."""
        read = [look for look in examined.looks if look.problem is None and look.image_digest]
        flat = [look.case.id for look in read if look.low == look.high]
        if flat:
            yield Finding(
                "warning",
                first_names(flat),
                f"{len(flat)} of {len(read)} images hold a single value",
                "check them; leave them out if their export failed",
            )
        elif read:
            values = min(look.low for look in read), max(look.high for look in read)
            said = f"from {values[0]:g} to {values[1]:g}; no image holds a single value"
            yield Finding("fine", "values", said)
