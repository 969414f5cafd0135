"""Names of stored axes, checked, and what becomes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region

_DEFAULT = {2: "yx", 3: "zyx"}


def name_axes(path: Path, stored: str) -> tuple[str, int | None]:
    """Split the names of stored axes into the spatial ones and the place of the channels.

    Args:
        path: The file, for messages.
        stored: One letter per stored axis; ``c`` is the channel axis.

    Returns:
        The spatial axes in stored order, two or three letters, and the index of ``c`` or None.

    Raises:
        DataError: a letter stands twice, is none, or two or three spatial axes do not remain.
    """
    spatial = stored.replace("c", "", 1)
    plain = stored.isascii() and stored.isalpha() and stored.islower()
    if not plain or len(set(stored)) != len(stored) or len(spatial) not in (2, 3):
        raise DataError(
            f"{path}: axes '{stored}' must be two or three different small letters, such as 'yx' "
            "or 'zyx', and 'c' where there are channels; set data.axes"
        )
    return spatial, stored.index("c") if "c" in stored else None


@dataclass(frozen=True)
class Layout:
    """What each axis of a stored array is.

    ``names``: one letter per stored axis; ``c`` becomes the channels, and ``_`` stands for an
    axis of length 1 that is not seen. ``lengths``: of the stored axes, in order.
    """

    names: str
    lengths: tuple[int, ...]

    @property
    def axes(self) -> str:
        """Names of the spatial axes in stored order."""
        return "".join(name for name in self.names if name not in "c_")

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""
        return self.spatial(self.lengths)

    @property
    def channels(self) -> int:
        """Length of the channel axis, or 1."""
        return self.lengths[self.names.index("c")] if "c" in self.names else 1

    def spatial(self, sides: Sequence[int]) -> tuple[int, ...]:
        """Return those of ``sides``, one for each stored axis, that belong to spatial axes."""
        return tuple(n for name, n in zip(self.names, sides, strict=True) if name not in "c_")

    def stored(self, region: Region) -> tuple[slice, ...]:
        """Return where a region lies in the stored array, with all channels."""
        spans = iter(region.slices)
        return tuple(
            slice(0, length) if name in "c_" else next(spans)
            for name, length in zip(self.names, self.lengths, strict=True)
        )

    def seen(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return stored values of such a place as (channels, *S), in the machine's byte order.

        Values that are so already are returned as they are and not copied.
        """
        unseen = tuple(at for at, name in enumerate(self.names) if name == "_")
        values = values.squeeze(unseen)
        names = self.names.replace("_", "")
        values = np.moveaxis(values, names.index("c"), 0) if "c" in names else values[None]
        return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def lay_out(
    path: Path,
    lengths: tuple[int, ...],
    given: str | None,
    own: str | None = None,
    *,
    declared: str | None = None,
    as_stored: bool = False,
) -> Layout:
    """Say what the axes of a stored array are.

    Args:
        path: The file, for messages.
        lengths: Of the stored axes.
        given: Names that the recipe gives, to all stored axes, or to all but those that the file
            itself calls ``c`` and ``t``; None: as the file says, or ``yx`` and ``zyx``.
        own: Names that the file gives to all stored axes; None: none.
        declared: The same, ``?`` where the file does not say it but its format; None: ``own``.
        as_stored: Let the recipe give other names than the file does.

    Raises:
        DataError: the names do not fit, or are others than the file's; several points in time are
            stored, or nothing is.
    """
    if 0 in lengths:
        raise DataError(f"{path}: holds no pixels, its shape is {lengths}")
    names = own or _DEFAULT.get(len(lengths))
    if given is not None and len(given) == len(lengths):
        names = given
    elif given is not None and own is not None and len(given) == len(_without(own, "ct")):
        spatial = iter(given)
        names = "".join(name if name in "ct" else next(spatial) for name in own)
    elif given is not None or names is None:
        said = f"'{given}' names {len(given)}" if given else "only 2 or 3 are named by default"
        itself = f", which it calls '{own}'" if own else ""
        raise DataError(
            f"{path}: has {len(lengths)} axes {lengths}{itself}, but {said}; set data.axes to "
            "match, with 'c' for channels"
        )
    if own is not None and not as_stored:
        check_names(path, names, declared or own)
    if "t" in names and (names == own or len(_without(names, "c")) > 3):
        times = lengths[names.index("t")]
        if times > 1:
            raise DataError(
                f"{path}: holds {times} points in time (axes '{names}' {lengths}); save each on "
                "its own"
            )
        name_axes(path, _without(names, "t"))
        return Layout(names.replace("t", "_"), lengths)
    name_axes(path, names)
    return Layout(names, lengths)


def check_names(path: Path, given: str, own: str) -> None:
    """Refuse names of axes that are others than those that the file itself gives (READ-3).

    Args:
        path: The file, for messages.
        given: Names that the recipe gives, one for each stored axis.
        own: Those of the file; ``?`` where it says nothing.

    Raises:
        DataError: one differs; the message says both.
    """
    if all(mine in ("?", name) for name, mine in zip(given, own, strict=True)):
        return
    raise DataError(
        f"{path}: its own axes are '{own}', and data.axes says '{given}'; leave data.axes out and "
        "name axes elsewhere, such as in frame.slices.axes, as the file does; where the file is "
        "wrong, set data.orientation to as_stored"
    )


def _without(names: str, gone: str) -> str:
    return "".join(name for name in names if name not in gone)
