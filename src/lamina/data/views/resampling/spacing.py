"""Distances between voxels: what volumes state, and the shape at which one spacing shows them."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.geometry.tiling.axis_order import seen_order, stored
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


def differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether distances differ by more than ``TOLERANCE`` of the smaller along any axis."""
    return any(
        max(a, b) > min(a, b) * (1 + TOLERANCE) + 1e-9 for a, b in zip(one, other, strict=True)
    )


def shape_at(volume: Volume, spacing: Sequence[float] | None) -> tuple[int, ...]:
    """Return the shape of a volume resampled to a spacing, its axes as they are stored.

    That of the volume itself where its voxels are as far apart, to ``TOLERANCE``, or it does not
    say how far.

    Args:
        volume: Three axes.
        spacing: Along z, y and x, in the units of the file; None: its own.
    """
    if spacing is None:
        return tuple(volume.shape)
    own = spacing_of(volume)
    if own is None or not differ(own, spacing):
        return tuple(volume.shape)
    order = seen_order(volume.axes)
    steps = zip(volume.shape, stored(own, order), stored(spacing, order), strict=True)
    return tuple(max(1, round(n * here / there)) for n, here, there in steps)
