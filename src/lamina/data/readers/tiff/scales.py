"""Spacing of TIFF files: of OME and ImageJ as they say, else by the resolution tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from lamina.volume import Placement

_UNITS = {
    "m": ("mm", 1e3),
    "cm": ("mm", 10.0),
    "mm": ("mm", 1.0),
    "millimeter": ("mm", 1.0),
    "um": ("um", 1.0),
    "µm": ("um", 1.0),
    "μm": ("um", 1.0),
    "micron": ("um", 1.0),
    "microns": ("um", 1.0),
    "micrometer": ("um", 1.0),
    "\\u00b5m": ("um", 1.0),
    "nm": ("um", 1e-3),
    "nanometer": ("um", 1e-3),
    "å": ("um", 1e-4),
    "inch": ("mm", 25.4),
}
_INCH, _CENTIMETRE = 2, 3

Scales = Mapping[str, tuple[float, str]]
"""Spacing and unit by the letter of an axis, in lower case."""


def scales_of(tif: Any) -> Scales:
    """Return the spacing that a file says of its axes; those that it does not say are left out."""
    if tif.is_ome:
        return _of_ome(tif.ome_metadata or "")
    page = tif.pages.first
    found = {
        axis: step
        for axis, tag in (("x", 282), ("y", 283))
        if (step := _step(page.tags.valueof(tag))) is not None
    }
    if tif.is_imagej:
        about = tif.imagej_metadata or {}
        deep = _number(about.get("spacing"))
        found |= {} if deep is None else {"z": deep}
        return _in_unit(found, str(about.get("unit", "")).lower())
    unit = {_INCH: "inch", _CENTIMETRE: "cm"}.get(int(page.tags.valueof(296, 1)), "")
    return _in_unit(found, unit)


def placement(axes: str, scales: Scales, declared: str, *, sample: bool) -> Placement:
    """Return what a file says of its spatial axes.

    Args:
        axes: Names of the spatial axes.
        scales: As of ``scales_of``.
        declared: Names that the file gives to them, ``?`` where it gives none.
        sample: Whether the scales are those of a microscope; resolution tags of other files are
            mostly those of a printer.
    """
    named = declared if declared.strip("?") else None
    if not any(axis in scales for axis in axes):
        return Placement(named)
    spacing = tuple(scales[axis][0] if axis in scales else None for axis in axes)
    units = tuple(scales[axis][1] if axis in scales else "" for axis in axes)
    whole = sample and None not in spacing
    return Placement(named, spacing, units, world="sample" if whole else None)


def _of_ome(text: str) -> Scales:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return {}
    pixels = next((one for one in root.iter() if one.tag.endswith("}Pixels")), None)
    if pixels is None:
        return {}
    found: dict[str, tuple[float, str]] = {}
    for axis in "xyz":
        step = _number(pixels.get(f"PhysicalSize{axis.upper()}"))
        unit = _UNITS.get(pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm").lower())
        if step is not None and unit is not None:
            found[axis] = step * unit[1], unit[0]
    return found


def _in_unit(steps: Mapping[str, float], word: str) -> Scales:
    unit = _UNITS.get(word)
    if unit is None:
        return {}
    return {axis: (step * unit[1], unit[0]) for axis, step in steps.items()}


def _step(resolution: object) -> float | None:
    """Return the distance of pixels, from pixels per unit as a fraction."""
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    return _number(resolution[1] / resolution[0])


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
