"""What belongs together: an image, its target, where it counts, and its group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import permutations

from lamina.data.class_places import ClassPlaces
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Crop, Plane, Volume, view_chain

MAIN = "main"
"""The part of the data that cases belong to that say no other."""


@cache
def area_of(index: int) -> str:
    """Return the name of the fact that holds the pixels of a class; one for all cases."""
    return f"area_{index}"


@dataclass(frozen=True, slots=True)
class Case:
    """One image or volume with what is known of it; opened, not read.

    ``image``, ``target`` and ``valid`` share shape and axes. ``target`` has the channels of the
    task (see ``Task``); ``valid`` has one channel, 0 where a pixel must not count; None: all
    count. ``files`` names the files behind the image, for digests, and ``label_files`` those behind
    ``target`` and ``valid``; a target out of a table has ``label_digest``, the SHA-256 of its rows.
    ``facts`` holds what a sampler or a split may want to know without reading pixels, such as
    ``classes``: the comma-joined indices of the classes present, and ``part``: cases of another
    part than main are learnt from and never held out.
    """

    id: str
    group: str
    image: Volume
    target: Volume | None = None
    valid: Volume | None = None
    files: tuple[str, ...] = ()
    facts: Mapping[str, float | str] = field(default_factory=dict)
    label_files: tuple[str, ...] = ()
    label_digest: str = ""
    places: ClassPlaces | None = None
    """Where its classes lie, for samplers; None: not looked for."""

    def __post_init__(self) -> None:
        for role, other in (("target", self.target), ("valid area", self.valid)):
            if other is not None and (other.shape, other.axes) != (
                self.image.shape,
                self.image.axes,
            ):
                raise DataError(
                    f"case {self.id}: image is {self.image.axes} {self.image.shape}, {role} is "
                    f"{other.axes} {other.shape}; they must be equal"
                    f"{_by_exif(self.image, role, other) or _exchanged(self.image, other)}\n"
                    f"  image {self.image.name}\n  {role} {other.name}"
                )

    @property
    def part(self) -> str:
        """The part of the data it belongs to."""
        return str(self.facts.get("part", MAIN))

    def crop(self, box: Region, name: str) -> Case:
        """Return the part of the case inside ``box`` as a case called ``name``."""
        return replace(
            self,
            id=name,
            image=Crop(self.image, box),
            target=None if self.target is None else Crop(self.target, box),
            valid=None if self.valid is None else Crop(self.valid, box),
            places=None,
        )

    def plane(self, axis: str, index: int, context: int = 0) -> Case:
        """Return one slice as a two-axis case; ``context`` neighbours become image channels."""
        return replace(
            self,
            id=f"{self.id}/{axis}{index:04d}",
            image=Plane(self.image, axis, index, context),
            target=None if self.target is None else Plane(self.target, axis, index),
            valid=None if self.valid is None else Plane(self.valid, axis, index),
            places=None,
        )

    def planes(
        self,
        axes: str,
        context: int = 0,
        *,
        every: int = 1,
        at: Sequence[float] | None = None,
    ) -> Iterator[Case]:
        """Yield slices along each of ``axes``; a two-axis case yields itself.

        Args:
            axes: Names of axes.
            context: Neighbours on either side that become image channels.
            every: Only every n-th slice, from the first.
            at: Only these, by shares of the axis' length, rounded down: of 300 slices 0.25 is the
                one with index 75.

        Raises:
            DataError: the volume has no such axis.
        """
        if len(self.image.axes) == 2:
            yield self
            return
        for axis in axes:
            if axis not in self.image.axes:
                raise DataError(
                    f"case {self.id}: has axes '{self.image.axes}', and frame.slices names "
                    f"'{axis}'; set frame.slices.axes to match"
                )
            length = self.image.shape[self.image.axes.index(axis)]
            for index in range(0, length, every) if at is None else _places(at, length):
                yield self.plane(axis, index, context)


def _places(shares: Sequence[float], length: int) -> list[int]:
    # A thousandth of a slice more, since 0.29 of 100 is 28.999999999999996.
    return [min(int(share * length + 1e-3), length - 1) for share in shares]


def exif_orientation(volume: Volume) -> int:
    """Return the EXIF orientation by which the picture of a volume is turned upright; 1: none."""
    *_, stored = view_chain(volume)
    return int(getattr(stored, "exif_orientation", 1))


def _by_exif(image: Volume, role: str, other: Volume) -> str:
    """Say whose EXIF orientation turns it where that makes them differ; else nothing (READ-22)."""
    turns = {"image": exif_orientation(image), role: exif_orientation(other)}
    turned = [name for name, turn in turns.items() if turn > 4]  # rows and columns change places
    if len(turned) != 1 or image.shape != other.shape[::-1]:
        return ""
    (name,) = turned
    (still,) = (one for one in turns if one != name)
    return (
        f"; the {name} is turned upright, as its EXIF orientation {turns[name]} says, and the "
        f"{still} is not: save both upright, without EXIF"
    )


def _exchanged(image: Volume, other: Volume) -> str:
    """Say in which orders of its stored axes the image would fit; nothing where there is none."""
    if image.axes != other.axes:
        return ""
    lengths = dict(zip(image.axes, other.shape, strict=True))
    fitting = [
        "".join(names)
        for names in permutations(image.axes)
        if tuple(lengths[name] for name in names) == tuple(image.shape)
    ]
    if not fitting:
        return ""
    return f", as they would be with the image's axes stored as {' or '.join(fitting)}"
