"""Distances between voxels: what files say, and whether blocks of several volumes are comparable.

A network of blocks sees voxels, not millimetres. Volumes are not resampled: where their voxels are
more than a tenth further apart than those of others, that is said, or refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.errors import DataError
from lamina.geometry.tiling.axis_order import seen_order
from lamina.volume import Volume, placement_of

TOLERANCE = 0.1
"""Share by which distances may differ and still count as equal."""

Distances = tuple[float, ...]


def spacing_of(volume: Volume) -> Distances | None:
    """Return the distance between voxels along z, y and x, in the file's units; None: not known."""
    spacing = placement_of(volume).spacing
    if len(volume.axes) != 3 or spacing is None:
        return None
    known = [one for one in spacing if one is not None]
    return tuple(known[axis] for axis in seen_order(volume.axes)) if len(known) == 3 else None


def check_spacing(volume: Volume, frame: Frame) -> None:
    """Refuse a volume whose voxels are other distances apart than ``frame.spacing``.

    Raises:
        DataError: they are, or the file does not say.
    """
    if frame.spacing is None:
        return
    wanted, own = " x ".join(f"{one:g}" for one in frame.spacing), spacing_of(volume)
    if own is None:
        raise DataError(
            f"{volume.name}: does not say how far its voxels are apart, and frame.spacing is "
            f"{wanted} (z, y, x); say it with data.spacing, or leave frame.spacing out"
        )
    if differ(own, frame.spacing):
        raise DataError(
            f"{volume.name}: its voxels are {in_words(own)} apart (z, y, x), and frame.spacing is "
            f"{wanted}; volumes are not resampled: resample the file, or leave frame.spacing out"
        )


def check_turns(cases: Sequence[Case], option: str) -> None:
    """Refuse to exchange rows and columns of volumes with other distances along both.

    Args:
        cases: As the network sees them.
        option: What exchanges them, for the message.

    Raises:
        DataError: a volume has other distances along y than along x.
    """
    for case in cases:
        own = spacing_of(case.image)
        if own is not None and differ(own[1:2], own[2:]):
            raise DataError(
                f"case {case.id}: its voxels are {own[1]:g} apart along y and {own[2]:g} along x, "
                f"and {option} exchanges y and x; use flips"
            )


def about_spacing(cases: Sequence[Case]) -> Iterator[str]:
    """Yield a warning where the voxels of some volumes are further apart than those of others."""
    known = {case.id: own for case in cases if (own := spacing_of(case.image)) is not None}
    if not known:
        return
    low, high = (tuple(map(end, *known.values(), known[next(iter(known))])) for end in (min, max))
    if differ(low, high):
        yield (
            f"voxels of volumes are between {in_words(low)} and {in_words(high)} apart (z, y, x): "
            "the network sees them as alike; resample the files to one spacing"
        )


def differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether distances differ by more than ``TOLERANCE`` of the smaller along any axis."""
    return any(
        max(a, b) > min(a, b) * (1 + TOLERANCE) + 1e-9 for a, b in zip(one, other, strict=True)
    )


def in_words(spacing: Sequence[float]) -> str:
    """Return distances as ``2.5 x 0.7 x 0.7``."""
    return " x ".join(f"{one:.4g}" for one in spacing)
