"""Volumes seen in blocks of voxels rather than in slices: when, how large, how far apart."""

from __future__ import annotations

from lamina.errors import RecipeError
from lamina.plan.rules.base import Situation

_VOXELS, _GPU_VOXELS = 16 * 96 * 96, 64 * 128 * 128
_COARSE, _FINE = 8, 16  # sides are multiples of the second from twice of it on, else of the first
_LEAST = 32  # voxels along the shortest axis, from which on blocks see more than slices
_FEWEST = 4  # slices that a network of three axes can be told
_EVEN = 2.0  # greatest over least spacing, up to which voxels are about as deep as wide
_ALIKE = 1.5  # the same of the differences of neighbours, where spacing is unknown
_HOURS = 120.0  # minutes, from which on a processor takes enough steps


def is_even(now: Situation) -> bool:
    """Whether no axis of a volume is coarser than the others."""
    facts = now.facts
    return facts.anisotropy < _EVEN if facts.spacing else facts.neighbours < _ALIKE


def in_blocks(now: Situation) -> bool:
    """Whether volumes are seen in blocks of voxels.

    Raises:
        RecipeError: blocks are asked for, and there are no volumes, or too flat ones.
    """
    facts, wanted = now.facts, now.wanted
    if wanted.dims == "3d":
        if not facts.deep:
            raise RecipeError("--dims is 3d, and images have two axes; leave it out")
        if min(facts.least) < _FEWEST:
            raise RecipeError(
                f"--dims is 3d, and a volume has {min(facts.least)} slices; blocks need at least "
                f"{_FEWEST}: pass --dims 2d or 2.5d"
            )
        return True
    if wanted.dims != "auto" or not facts.deep or now.restores:
        return False
    enough = not now.on_cpu or wanted.minutes >= _HOURS
    return enough and is_even(now) and min(facts.least) >= _LEAST


def blocks_why(now: Situation) -> str:
    """Return why volumes are seen in blocks."""
    if now.wanted.dims == "3d":
        return "blocks of voxels as asked for"
    where = f"{now.wanted.minutes:g} min" if now.on_cpu else "a GPU"
    return f"voxels about as deep as wide, {where}: blocks of voxels"


def order_of(now: Situation) -> list[int]:
    """Return the places of z, y and x among the stored axes, since blocks lie along these."""
    axes = now.facts.axes
    return [axes.index(name) for name in "zyx"] if set(axes) == set("zyx") else [0, 1, 2]


def spacing_of(now: Situation) -> list[float]:
    """Return the distances of voxels along z, y and x, the least being 1.

    Where files say none, axes along which neighbours differ much more are taken for coarser.
    """
    facts = now.facts
    steps = facts.spacing
    if steps is None:
        steps = facts.roughness if not is_even(now) else (1.0, 1.0, 1.0)
    least = min(steps)
    return [float(f"{steps[k] / least:.2g}") for k in order_of(now)]


def block_size(now: Situation) -> list[int]:
    """Return planes, rows and columns of a block of about equal length along all axes.

    Its voxels are as many as suit the device; no side is longer than the smallest volume, and what
    one axis cannot take the others do.
    """
    spacing = spacing_of(now)
    least = [now.facts.least[k] for k in order_of(now)]
    left: float = _VOXELS if now.on_cpu else _GPU_VOXELS
    sides = [0.0, 0.0, 0.0]
    rest = sorted(range(3), key=lambda k: (min(least[k] * spacing[k], 1e9), -spacing[k], k))
    while rest:
        volume = left
        for k in rest:
            volume *= spacing[k]
        length = volume ** (1 / len(rest))
        at = rest.pop(0)
        sides[at] = min(length / spacing[at], least[at])
        left /= sides[at]
    return [_multiple(side, most) for side, most in zip(sides, least, strict=True)]


def _multiple(side: float, most: int) -> int:
    """Return a side that can be halved, of at most ``most`` voxels where these are enough."""
    unit = _FINE if side >= 2 * _FINE else _COARSE
    nearest = round(side / unit) * unit
    return max(_COARSE, nearest if nearest <= most else nearest - unit)
