"""Spacing and origin of OME-Zarr images, out of their coordinate transformations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.volume import NOWHERE, Placement

_UNITS = {
    "meter": ("mm", 1e3),
    "centimeter": ("mm", 10.0),
    "millimeter": ("mm", 1.0),
    "micrometer": ("um", 1.0),
    "nanometer": ("um", 1e-3),
    "angstrom": ("um", 1e-4),
}


@dataclass(frozen=True)
class Scales:
    """Step and begin of each stored axis, in its unit."""

    step: tuple[float, ...]
    begin: tuple[float, ...]
    units: tuple[str | None, ...]

    def placement(self, names: str) -> Placement:
        """Return the placement of the spatial axes.

        Args:
            names: Of the stored axes; those called ``c`` and ``_`` are not spatial.
        """
        if len(names) != len(self.step):
            return NOWHERE
        spatial = [at for at, name in enumerate(names) if name not in "c_"]
        axes = "".join(names[at] for at in spatial)
        named = [_UNITS.get(self.units[at] or "") for at in spatial]
        if None in named:
            return Placement(axes, tuple(self.step[at] for at in spatial))
        factors = [unit[1] for unit in named if unit is not None]
        return Placement(
            axes=axes,
            spacing=tuple(self.step[at] * k for at, k in zip(spatial, factors, strict=True)),
            units=tuple(unit[0] for unit in named if unit is not None),
            origin=tuple(self.begin[at] * k for at, k in zip(spatial, factors, strict=True)),
            world="sample",
        )


def scales_of(image: Mapping[str, Any], name: str) -> Scales | None:
    """Return the scales of one dataset of an OME image; None where they are not plainly said.

    Args:
        image: An entry of ``multiscales``.
        name: Path of the dataset as the image lists it.
    """
    axes = [axis for axis in image.get("axes") or () if isinstance(axis, Mapping)]
    own = [
        one for one in image.get("datasets") or () if str(one.get("path", "")).strip("/") == name
    ]
    if not axes or not own:
        return None
    step, begin = [1.0] * len(axes), [0.0] * len(axes)
    steps = [*_steps(own[0]), *_steps(image)]
    if not steps:
        return None
    for one in steps:
        numbers: Any = one.get(str(one.get("type")))
        if one.get("type") == "identity":
            continue
        if not _are_numbers(numbers, len(axes)):
            return None
        if one["type"] == "scale":
            step = [a * b for a, b in zip(step, numbers, strict=True)]
            begin = [a * b for a, b in zip(begin, numbers, strict=True)]
        elif one["type"] == "translation":
            begin = [a + b for a, b in zip(begin, numbers, strict=True)]
        else:
            return None
    if min(step) <= 0:
        return None
    units = tuple(None if axis.get("unit") is None else str(axis["unit"]) for axis in axes)
    return Scales(tuple(step), tuple(begin), units)


def _steps(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = described.get("coordinateTransformations")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _are_numbers(values: object, count: int) -> bool:
    return (
        isinstance(values, Sequence)
        and len(values) == count
        and all(isinstance(value, int | float) for value in values)
    )
