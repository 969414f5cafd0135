"""Pixels that a file says hold no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.catalogs.pairs import NODATA
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted, first_names

_USUAL = (-9999.0, -32768.0, -32767.0, -999.0, -99999.0, -1e20, -3.4028234663852886e38)


@dataclass(frozen=True)
class NoData:
    """A declared value does not count, but the network sees it; an undeclared one counts."""

    name: str = "nodata"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name images with a declared value of no data, and those that seem to hold one."""
        looks = [look for look in examined.looks if look.problem is None]
        declared = {look.case.id: _declared(look.case) for look in looks}
        said = [f"{id} ({value:g})" for id, value in declared.items() if value is not None]
        if said:
            yield Finding(
                "note",
                first_names(said),
                f"{counted(len(said), 'image')} with a value of no data (GDAL_NODATA): such pixels "
                "count neither in training nor in scores, but the network sees them",
                "fill them first where they are many",
            )
        lows = [look for look in looks if look.low < 0 and look.low in _USUAL]
        likely = [
            f"{look.case.id} ({look.low:g})" for look in lows if declared[look.case.id] is None
        ]
        if likely:
            yield Finding(
                "warning",
                first_names(likely),
                f"the least value of {counted(len(likely), 'image')} is one that mostly means no "
                "data, and the file does not say so",
                "declare it (gdal_edit.py -a_nodata), or fill such pixels",
            )
        if looks and not said and not likely:
            yield Finding("fine", "images", "no value of no data")


def _declared(case: object) -> float | None:
    facts = getattr(case, "facts", {})
    if NODATA in facts:
        return float(facts[NODATA])
    value = getattr(getattr(case, "image", None), "nodata", None)
    return None if value is None else float(value)
