"""What training would refuse in pixels, found beforehand at a bounded cost.

Masks of two axes are read when a catalog opens them. Images and label volumes are not, since they
may be larger than memory: here they are read up to a number of values, volumes evenly spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import check_finite
from lamina.data.views.chunks import pieces
from lamina.errors import DataError, LaminaError, RecipeError, listed
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.volume import Volume

VOXELS = 1 << 28
"""Values that are read of images, of image volumes and of label volumes: seconds of each."""

_PIECE = 1 << 22
_PARTS = 8  # places at least that are read of a volume that is not read as a whole


@dataclass(frozen=True)
class Found:
    """What was found in pixels."""

    problems: tuple[LaminaError, ...] = ()
    """One for each case that cannot be used, at most; with its file and what to do."""

    unread: tuple[str, ...] = ()
    """Lines that say what was not read."""


def check_cases(cases: Sequence[Case], frame: Frame, *, voxels: int = VOXELS) -> list[str]:
    """Read images and label volumes as far as ``voxels`` allows.

    Args:
        cases: Opened; parts of a volume are read as parts.
        frame: How the network sees them.
        voxels: Values of images, of image volumes and of label volumes that are read, each.

    Returns:
        Lines that say what was not read.

    Raises:
        RecipeError: there is a volume, and the frame does not say how to cut it.
        DataError: labels hold what is no class, or images are cut off, damaged or not what the
            frame reads; all are named.
    """
    found = find_problems(cases, frame, voxels=voxels)
    if len(found.problems) == 1 or any(
        isinstance(problem, RecipeError) for problem in found.problems
    ):
        raise found.problems[0]
    if found.problems:
        headline = f"{len(found.problems)} cases cannot be used"
        raise DataError(listed(headline, [str(one) for one in found.problems]))
    return list(found.unread)


def find_problems(cases: Sequence[Case], frame: Frame, *, voxels: int = VOXELS) -> Found:
    """Return what ``check_cases`` would refuse, of every case."""
    problems: dict[str, LaminaError] = {}
    for case in cases:
        try:
            frame.cases([case])
        except LaminaError as error:
            problems[case.id] = error
    fit = [case for case in cases if case.id not in problems]
    flat = [case for case in fit if len(case.image.axes) == 2]
    deep = [case for case in fit if len(case.image.axes) > 2]
    # Grey in several channels first: whether it is grey only its pixels tell.
    flat.sort(key=lambda case: case.image.channels == frame.channels)
    labels = [case for case in deep if case.target is not None]
    jobs: tuple[_Job, ...] = (
        _Job("images", flat, lambda case: case.image, partial(_seen, frame)),
        _Job("image volumes", deep, lambda case: case.image, partial(_cut, frame)),
        _Job("label volumes", labels, lambda case: case.target, _finite),
    )
    unread: list[str] = []
    with Bar("checking", sum(len(job.cases) for job in jobs)) as bar:
        for job in jobs:
            said = job.run(voxels, problems, bar)
            unread += [] if said is None else [said]
    order = {case.id: number for number, case in enumerate(cases)}
    found = sorted(problems.items(), key=lambda item: order[item[0]])
    # parts of one volume have one file, and mostly one problem
    different = {str(error): error for _, error in found}
    return Found(tuple(different.values()), tuple(unread))


@dataclass(frozen=True)
class _Job:
    """Volumes that are read as far as the bound allows."""

    what: str
    cases: Sequence[Case]
    volume: Callable[[Case], Volume | None]
    read: Callable[[Volume, Region], object]

    def run(self, voxels: int, problems: dict[str, LaminaError], bar: Bar) -> str | None:
        """Read, note what cannot be read, and return what to say of the rest."""
        shares = []
        left = voxels
        for number, case in enumerate(self.cases):
            volume = self.volume(case)
            if volume is None or case.id in problems:
                continue
            try:
                share, count = _read(volume, left // (len(self.cases) - number), self.read)
            except DataError as error:
                problems[case.id] = error
                share, count = 1.0, 0
            left = max(left - count, 0)
            shares.append(share)
            bar.advance(note=volume.name)
        partly = sum(share < 1 for share in shares)
        if not partly:
            return None
        return (
            f"{partly} of {len(shares)} {self.what} were read in part or not at all, "
            f"{sum(shares) / len(shares):.1%} in all; `lamina doctor` reads all"
        )


def _seen(frame: Frame, volume: Volume, region: Region) -> object:
    return _finite(volume, region) if frame.depth or frame.slices else frame.read(volume, region)


def _cut(frame: Frame, volume: Volume, region: Region) -> object:
    values = _finite(volume, region)
    frame.check_channels(volume, values)
    return values


def _finite(volume: Volume, region: Region) -> NDArray[Any]:
    values = volume.read(region)
    check_finite(values, volume.name)
    return values


def _read(
    volume: Volume, voxels: int, read: Callable[[Volume, Region], object]
) -> tuple[float, int]:
    """Read about so many values, evenly spread; return the share that was read, and the values.

    Files of two axes are decoded as a whole, so they are read whole, or not at all.
    """
    size = max(prod(volume.shape) * volume.channels, 1)
    if size <= voxels or (len(volume.axes) == 2 and voxels > 0):
        chosen, every = [Region.whole(volume.shape)], 1
        if size > _PIECE:
            chosen = list(pieces(volume, _PIECE))
            every = len(chosen)
    elif len(volume.axes) == 2:
        return 0.0, 0
    else:
        parts = list(pieces(volume, min(_PIECE, max(voxels // _PARTS, 1))))
        allowed = max(voxels * len(parts) // size, 1)
        chosen, every = _spread(parts, allowed), len(parts)
    for region in chosen:
        read(volume, region)
    return len(chosen) / every, size * len(chosen) // every


def _spread(every: Sequence[Region], count: int) -> list[Region]:
    """Return so many regions in even steps, from the middle of the first step."""
    step = len(every) / count
    return [every[int((k + 0.5) * step)] for k in range(count)]
