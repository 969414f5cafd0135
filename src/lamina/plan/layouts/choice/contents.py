"""What label files hold, in words: for a question about which of them are meant."""

from __future__ import annotations

from collections import Counter
from math import prod

from lamina.data.layouts.patterns import CLASS, Pattern
from lamina.data.readers import open_volume
from lamina.data.targets.label_values import values_in
from lamina.errors import DataError, LaminaError
from lamina.geometry.region import Region
from lamina.plan.layouts.base import Match
from lamina.plan.tree import Tree
from lamina.volume import Crop, Volume

_ALL, _SHOWN = 10, 4  # values that are named: all, or of more the most frequent ones
_MOST = 1 << 26  # values that are read of one way
_FILES = 64


def counted_values(
    tree: Tree, match: Match, most: int, files: int = 512
) -> tuple[Counter[int], bool, float]:
    """Count the stored values of the labels of a match, read up to a bound.

    Args:
        tree: Of the data folder.
        match: How it is read.
        most: Values that are read.
        files: Files that are looked at, evenly spaced.

    Returns:
        Value to number of pixels; whether values are colours, as ``#rrggbb`` says as a number; and
        the share of all labels that was read.

    Raises:
        DataError: values are not whole numbers.
    """
    counts: Counter[int] = Counter()
    colours, read, whole = False, 0, 0
    steps = max(1, len(match.labels) // files)
    for name in match.labels[::steps]:
        volume: Volume = open_volume(tree.root / name, dataset=match.dataset, target=True)
        size = prod(volume.shape) * volume.channels
        whole += size
        if read >= most:
            continue
        if size > most:
            thick = max(1, int(volume.shape[0] * most / size))
            first = (volume.shape[0] - thick) // 2
            start = (first, *[0] * (len(volume.shape) - 1))
            volume = Crop(volume, Region(start, (first + thick, *volume.shape[1:])))
        if not colours:
            try:
                counts.update(values_in(volume))
            except DataError:
                if volume.channels < 3:
                    raise
                colours, counts = True, Counter()
        if colours:
            counts.update(values_in(volume, colours=True))
        read += prod(volume.shape) * volume.channels
    return counts, colours, read / max(whole, 1) / steps


def contents_of(tree: Tree, match: Match) -> str:
    """Return what the labels of a match hold, with the share of the pixels; empty: not known.

    Example: ``it holds 0 (93.55%) and 255 (6.45%)``.
    """
    masks = str(match.data.get("masks", ""))
    if CLASS in masks:
        names = sorted({one.label or "" for one in Pattern(masks).find(tree.root)})
        return f"classes {', '.join(names)}"
    if not match.labels:
        return ""
    try:
        counts, colours, share = counted_values(tree, match, _MOST, _FILES)
    except LaminaError as error:
        return str(error).splitlines()[0]
    if colours:
        return f"it holds {len(counts)} colours"
    whole = sum(counts.values())
    most = sorted(counts, key=lambda value: (-counts[value], value))
    shown = sorted(most) if len(most) <= _ALL else most[:_SHOWN]
    values = ", ".join(f"{value} ({counts[value] / whole:.2%})" for value in shown)
    said = f"it holds {values}"
    if len(shown) < len(most):
        said = f"it holds {len(most)} values, most of all {values}"
    return said if share >= 1 else f"{said}, by {share:.0%} of it"
