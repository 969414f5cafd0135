"""What the axes of a stored image are called, when it has to be transposed to fit its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

from lamina.data.catalogs import VolumePairs
from lamina.data.names import matches
from lamina.data.orientation import letters_of
from lamina.data.pair_files import pairs_of
from lamina.errors import DataError

Order = tuple[int, ...]


def orders_between(shape: Sequence[int], wanted: Sequence[int]) -> tuple[Order, ...]:
    """Return the ways to transpose an array of ``shape`` that give it the shape ``wanted``.

    Example:
        >>> orders_between((300, 300, 1259), (300, 300, 1259))
        ((0, 1, 2), (1, 0, 2))
        >>> orders_between((4, 3, 2), (2, 3, 4))
        ((2, 1, 0),)
    """
    every = permutations(range(len(shape)))
    return tuple(order for order in every if tuple(shape[i] for i in order) == tuple(wanted))


def stored_axes(data: VolumePairs, id: str, axes: str, order: Order) -> str:
    """Return the names of an image's stored axes.

    Args:
        data: The catalog, which may transpose the image already.
        id: Of the case.
        axes: Names of the target's axes.
        order: What the image of the case is to be transposed by, after what the catalog does.
    """
    given = next((one for name, one in data.transpose.items() if matches(id, name)), axes)
    names = given if isinstance(given, str) else named(axes, given)
    right = {axes[place]: letter for letter, place in zip(axes, order, strict=True)}
    return "".join(right[letter] for letter in names)


def named(axes: str, order: Order) -> str:
    """Return the names of an array's axes if ``order`` transposes them to ``axes``.

    Example:
        >>> named("zyx", (1, 2, 0))
        'xzy'
    """
    names = [""] * len(axes)
    for letter, place in zip(axes, order, strict=True):
        names[place] = letter
    return "".join(names)


def transposed_volumes(data: VolumePairs, root: Path) -> Mapping[str, str]:
    """Return the volumes whose image has the sides of its target in another order (I14).

    Of several orders that fit the first is given; the labels can tell whether it is the right one.

    Returns:
        The names of the stored axes by id.
    """
    found = {}
    for pair in pairs_of(root, data.image, data.target):
        if pair.target is None or any(matches(pair.id, name) for name in data.exclude):
            continue
        try:
            opened = data.opened(pair)
        except DataError:
            continue
        image, target = opened.image, opened.target
        if target is None or letters_of(image) is not None:
            continue  # the files say how they lie
        fitting = orders_between(image.shape, target.shape)
        if image.shape != target.shape and image.axes == target.axes and fitting:
            found[pair.id] = stored_axes(data, pair.id, image.axes, fitting[0])
    return found
