"""What training would refuse in pixels, found beforehand at a bounded cost.

Images and masks of two axes are read when a catalog opens them. Label volumes are not, since they
may be larger than memory: here they are read up to a number of voxels, evenly spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.views.chunks import pieces
from lamina.errors import DataError, listed
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.volume import Volume

VOXELS = 1 << 28
"""Voxels of labels that are read, about a second each 2^27; and pixels of colour images."""

_PIECE = 1 << 22
_PARTS = 8  # places at least that are read of a volume that is not read as a whole


def check_cases(cases: Sequence[Case], frame: Frame, *, voxels: int = VOXELS) -> list[str]:
    """Read label volumes, and colour images of a grey recipe, as far as ``voxels`` allows.

    Args:
        cases: Opened; parts of a volume are read as parts.
        frame: How the network sees them.
        voxels: Voxels of labels that are read, and pixels of images, in all.

    Returns:
        Lines that say what was not read.

    Raises:
        RecipeError: there is a volume, and the frame does not say how to cut it.
        DataError: labels hold what is no class, or images are not what the frame reads; all are
            named.
    """
    for case in cases:
        frame.planes([case])
    volumes = [case.target for case in cases if case.target and len(case.target.axes) > 2]
    colours = [
        case.image
        for case in cases
        if frame.channels == 1 and case.image.channels > 1 and len(case.image.axes) == 2
    ]
    problems, said = list[str](), list[str]()
    with Bar("checking", len(volumes) + len(colours)) as bar:
        for found, what, read in (
            (volumes, "label volumes", _pixels),
            (colours, "colour images that are read as grey", frame.read),
        ):
            parts = [_read(one, voxels // max(len(found), 1), problems, read, bar) for one in found]
            partly = [part for part in parts if part < 1]
            if partly:
                said.append(
                    f"{len(partly)} of {len(found)} {what} were read in part, "
                    f"{sum(parts) / len(parts):.1%} in all; `lamina doctor` reads all"
                )
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        raise DataError(listed(f"{len(problems)} cases cannot be used", problems))
    return said


def _pixels(volume: Volume, region: Region) -> object:
    return volume.read(region)


def _read(
    volume: Volume,
    voxels: int,
    problems: list[str],
    read: Callable[[Volume, Region], object],
    bar: Bar,
) -> float:
    """Read at most so many voxels, but a piece at least; return the share that was read."""
    every = list(pieces(volume, min(_PIECE, max(voxels // _PARTS, 1))))
    allowed = max(voxels * len(every) // max(prod(volume.shape) * volume.channels, 1), 1)
    chosen = every if allowed >= len(every) else _spread(every, allowed)
    try:
        for region in chosen:
            read(volume, region)
    except DataError as error:
        problems.append(str(error))
    bar.advance(note=volume.name)
    return len(chosen) / len(every)


def _spread(every: Sequence[Region], count: int) -> list[Region]:
    """Return so many regions in even steps, from the middle of the first step."""
    step = len(every) / count
    return [every[int((k + 0.5) * step)] for k in range(count)]
