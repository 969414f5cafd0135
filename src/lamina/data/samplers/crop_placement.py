"""Where a crop lies: inside the image where it fits, centred where the image is smaller.

Of an odd number of pixels beyond the image one more is at the end, as 10 and 11 columns of
FAULT-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.class_places import masks_of
from lamina.data.network_input.sample import Draw
from lamina.geometry.region import Region
from lamina.volume import read_all


def anywhere(shape: tuple[int, ...], size: tuple[int, ...], rng: np.random.Generator) -> Region:
    """Return a region of ``size``, every place inside ``shape`` equally likely."""
    return _region(
        [
            int(rng.integers(0, whole - side + 1)) if whole >= side else -((side - whole) // 2)
            for whole, side in zip(shape, size, strict=True)
        ],
        size,
    )


def around(
    pixel: tuple[int, ...],
    shape: tuple[int, ...],
    size: tuple[int, ...],
    rng: np.random.Generator,
) -> Region:
    """Return a region of ``size`` that shows ``pixel``, wherever in the region chance puts it."""
    starts = []
    for at, whole, side in zip(pixel, shape, size, strict=True):
        wish = at - int(rng.integers(0, side))
        inside = min(max(wish, 0), whole - side)
        starts.append(inside if whole >= side else -((side - whole) // 2))
    return _region(starts, size)


def centred(pixel: tuple[int, ...], size: tuple[int, ...]) -> Region:
    """Return a region of ``size`` with ``pixel`` in its middle; of an even side just after it."""
    return _region([at - side // 2 for at, side in zip(pixel, size, strict=True)], size)


def target_pixel(
    case: Case, rng: np.random.Generator, of: int | None = None
) -> tuple[int, ...] | None:
    """Return the place of a target pixel along each axis, or None where the case has none.

    First a class among those present, each equally likely, then one of its pixels: a rare class
    is met as often as a common one. Reads the target once, unless ``case.places`` is known.

    Args:
        case: Opened.
        rng: Of the epoch.
        of: The class to show, as ``classes_of`` names it; None: any.
    """
    if of == 0 and case.target is not None and case.target.channels == 1:
        of = None  # facts call the one output 0, its pixels are 1
    if case.places is not None:
        return case.places.draw(rng, of)
    if case.target is None or case.facts.get("classes") == "":
        return None
    target = read_all(case.target)
    if case.facts.get("labels") == "soft":  # probabilities: half sure is set
        target = target >= 0.5
    return _pixel(target, rng, of)


def is_positive(case: Case) -> bool:
    """Whether any pixel of the target is set; told by ``facts["classes"]`` where it is known."""
    if case.places is not None:
        return bool(case.places.classes)
    if "classes" in case.facts:
        return case.facts["classes"] != ""
    return case.target is not None and bool(read_all(case.target).any())


def classes_of(case: Case) -> tuple[int, ...]:
    """Return the classes whose target is set, ascending; class ids where these exclude each other.

    Told by ``facts["classes"]`` where it is known, else the target is read.
    """
    if case.places is not None:
        return case.places.classes
    if "classes" in case.facts:
        return tuple(int(k) for k in str(case.facts["classes"]).split(",") if k)
    if case.target is None:
        return ()
    return tuple(k for k, _ in masks_of(read_all(case.target)))


def crop(
    cases: Sequence[Case],
    number: int,
    size: tuple[int, ...],
    focus: float,
    rng: np.random.Generator,
) -> Draw:
    """Return a draw of case ``number``: with probability ``focus`` around a target pixel."""
    case = cases[number]
    pixel = target_pixel(case, rng) if focus and rng.random() < focus else None
    if pixel is None:
        return Draw(number, anywhere(case.image.shape, size, rng), "random")
    return Draw(number, around(pixel, case.image.shape, size, rng), "target")


def cases_by_class(cases: Sequence[Case]) -> dict[int, list[int]]:
    """Return the numbers of the cases that show each class, by ascending class."""
    showing: dict[int, list[int]] = {}
    for number, case in enumerate(cases):
        for k in classes_of(case):
            showing.setdefault(k, []).append(number)
    return dict(sorted(showing.items()))


def even(
    cases: Sequence[Case],
    number: int,
    size: tuple[int, ...],
    focus: float,
    showing: Mapping[int, Sequence[int]],
    rng: np.random.Generator,
) -> Draw:
    """Return a draw of case ``number``, or with probability ``focus`` of any class.

    Of classes, then of the cases that show the class, each is equally likely.
    """
    if not showing or rng.random() >= focus:
        return Draw(number, anywhere(cases[number].image.shape, size, rng), "random")
    k = list(showing)[int(rng.integers(len(showing)))]
    chosen = showing[k][int(rng.integers(len(showing[k])))]
    case = cases[chosen]
    pixel = target_pixel(case, rng, k)
    if pixel is None:  # the facts of the case promise a class that its target does not show
        return Draw(chosen, anywhere(case.image.shape, size, rng), "random")
    return Draw(chosen, around(pixel, case.image.shape, size, rng), "target")


def _pixel(
    target: NDArray[Any], rng: np.random.Generator, of: int | None = None
) -> tuple[int, ...] | None:
    present = {k: mask for k, mask in masks_of(target) if of in (None, k)}
    if not present:
        return None
    pixels = np.flatnonzero(list(present.values())[int(rng.integers(len(present)))])
    at = np.unravel_index(int(pixels[int(rng.integers(len(pixels)))]), target.shape[1:])
    return tuple(map(int, at))


def _region(starts: list[int], size: tuple[int, ...]) -> Region:
    return Region(tuple(starts), tuple(a + n for a, n in zip(starts, size, strict=True)))
