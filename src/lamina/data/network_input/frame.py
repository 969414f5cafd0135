"""How a region of an image becomes what the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, field_validator, model_validator

from lamina.data.case import Case
from lamina.data.network_input.blocks import whole
from lamina.data.network_input.depth import Depth
from lamina.data.network_input.normalise import (
    AnyNormalise,
    DatasetStats,
    Fixed,
    check_finite,
    is_grey,
)
from lamina.data.network_input.value_tables import normalised
from lamina.data.views.padding import Border, read_padded
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.geometry.view import TURNS, View
from lamina.spec import ADDED_LATER, Spec
from lamina.volume import Volume

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Shift and factor of each channel that a network sees: x becomes (x - shift) * factor."""

Share = Annotated[float, Field(ge=0, lt=1)]
"""A place along an axis, as a share of its length."""

Size = Annotated[tuple[int, ...], Field(min_length=2, max_length=3)]
"""Rows and columns of images, or planes, rows and columns (z, y, x) of blocks of voxels."""

Spacing = Annotated[tuple[PositiveFloat, ...], Field(min_length=3, max_length=3)]
"""Distances between neighbouring voxels along z, y and x, in the units of the files."""


class Slices(Spec):
    """Look at a volume of three axes slice by slice."""

    axes: str = "z"
    """Axes that are cut across; with several, every slice along each of them is an image."""

    context: int = Field(default=0, ge=0)
    """Neighbours on either side that become further channels."""

    every: int = Field(default=1, ge=1)  # NOISE-4: 5
    """Learn from every n-th slice only, from the first; answered are all."""

    judge: tuple[Share, ...] = ()  # NOISE-5, NOISE-14
    """Validate these slices along each axis, each an image of its own answered by its own axis, at
    shares of the length such as 0.25; none: whole volumes."""

    @field_validator("axes")
    @classmethod
    def _axes_are_different(cls, axes: str) -> str:
        if not axes or len(set(axes)) != len(axes):
            raise ValueError(f"axes is '{axes}'; it must be one or more different letters")
        return axes


class Frame(Spec):
    """How a region becomes what the network sees."""

    size: Size = (256, 256)
    """Rows and columns of a training sample, in pixels.

    Three numbers are planes, rows and columns (z, y, x): a sample is then a block of voxels, for a
    network of three axes."""

    channels: int = Field(default=1, ge=1)
    """Channels of an image (of each slice). 1 also reads colour files that are really grey."""

    slices: Slices | None = None
    """How volumes of three axes are cut; null: images only."""

    depth: Depth | None = None
    """How many of the layers, which are the channels, the network sees; null: all of them."""

    resize: tuple[int, int] | None = None
    """Rows and columns that whole images (or slices) are resized to before all else; answers are
    resized back, so that masks and scores are at the size of the image. Whole images are held in
    memory for it. null: images as they are stored."""

    turn: int = Field(default=0, ge=0, le=3)  # FAULT-5
    """Quarter turns against the clock after which the network sees a region, in training and in
    prediction; sizes are those before. 3: clockwise."""

    border: Border = "reflect"
    """Padding beyond the image: reflected (without repeating the edge), or the value 0."""

    pad: Literal["around", "after"] = "around"  # FAULT-5, NOISE-7
    """Where an image smaller than a region lies in it: in the middle, or at the top left,
    so that all that is added comes after it."""

    normalise: AnyNormalise = DatasetStats()
    """How stored values are shifted and scaled."""

    spacing: Annotated[Spacing | None, ADDED_LATER] = None
    """Distances between voxels along z, y and x that the network sees, in the units of the files:
    volumes whose voxels are more than a tenth nearer or farther are resampled, and answers brought
    back to their own voxels. null: in training the median of the volumes where they differ by
    more than a tenth and all state theirs, else volumes as they are. Only where size has three
    numbers."""

    @field_validator("size")
    @classmethod
    def _size_is_positive(cls, size: tuple[int, ...]) -> tuple[int, ...]:
        if min(size) < 1:
            raise ValueError(f"size is {list(size)}; each number must be at least 1")
        return size

    @field_validator("resize")
    @classmethod
    def _resize_is_positive(cls, resize: tuple[int, int] | None) -> tuple[int, int] | None:
        if resize is not None and min(resize) < 1:
            raise ValueError(f"resize is {list(resize)}; rows and columns must be at least 1")
        return resize

    @model_validator(mode="after")
    def _blocks_are_of_whole_volumes(self) -> Self:
        if len(self.size) == 2:
            if self.spacing is not None:
                raise ValueError(
                    f"spacing is {list(self.spacing)}, for blocks of voxels, and size has two "
                    "numbers; leave spacing out, or give size three"
                )
            return self
        excluded = {
            "slices": (self.slices is not None, "cuts volumes into images"),
            "depth": (self.depth is not None, "is of layers as channels"),
            "turn": (self.turn != 0, f"is {self.turn}, for images"),
            "resize": (self.resize is not None, "is for whole images"),
        }
        for key, (is_set, says) in excluded.items():
            if is_set:
                raise ValueError(
                    f"{key} {says}, and size is {list(self.size)}, blocks of voxels; leave {key} "
                    "out, or give size two numbers"
                )
        return self

    @model_validator(mode="after")
    def _depth_has_layers_enough(self) -> Self:
        if self.depth is None:
            return self
        if self.slices is not None:
            raise ValueError("depth is of layers as channels, and slices is set; leave one out")
        if self.depth.most > self.channels:
            raise ValueError(
                f"depth looks at up to {self.depth.most} layers, {self.depth.see} times "
                f"{self.depth.factor:g}, and channels is {self.channels}; set channels to the "
                "number of layers, or depth.see or depth.factor to less"
            )
        if isinstance(self.normalise, DatasetStats) and not self.normalise.pooled:
            raise ValueError(
                "depth mixes layers, and normalise measures each for itself; set normalise to "
                "{kind: dataset, pooled: true}"
            )
        return self

    @property
    def axes(self) -> int:
        """Spatial axes that the network sees: 2, images; 3, blocks of voxels."""
        return len(self.size)

    @property
    def inputs(self) -> int:
        """Channels the network sees: those of the slice and of its neighbours, or its layers."""
        return self.depth.see if self.depth else self.channels * self._slices

    @property
    def _slices(self) -> int:
        return 2 * self.slices.context + 1 if self.slices else 1

    def cases(self, cases: Sequence[Case]) -> list[Case]:
        """Return cases of as many axes as the network sees.

        Images as they are, volumes cut as ``slices`` says; where blocks are seen, volumes whole,
        their axes in the order z, y, x and at ``spacing``.

        Raises:
            RecipeError: there is a volume, and ``slices`` is not set, or an image where blocks are
                seen.
            DataError: a volume lacks an axis, or its channels do not suit ``channels``.
        """
        planes = [whole(case, self.size, self.spacing) for case in cases] if self.axes == 3 else []
        for case in cases if self.axes == 2 else ():
            axes = case.image.axes
            if self.slices is None and len(axes) != 2:
                raise RecipeError(
                    f"case {case.id}: has axes '{axes}', and the network sees two at a time; set "
                    f"frame.slices, such as {{axes: {axes[0]}}}, or give frame.size three numbers"
                )
            if self.slices is None:
                planes.append(case)
            else:
                planes.extend(
                    case.planes(self.slices.axes, self.slices.context, every=self.slices.every)
                )
        for case in planes:
            self._stored(case.image)
        return planes

    def chosen(self, cases: Sequence[Case], at: Sequence[float]) -> list[Case]:
        """Return the slices of volumes at these places along every axis; images as they are.

        Args:
            cases: Opened.
            at: Shares of the axes' lengths; none: cases stay whole.

        Raises:
            DataError: a volume lacks an axis.
        """
        if self.slices is None or not at:
            return list(cases)
        axes, context = self.slices.axes, self.slices.context
        return [plane for case in cases for plane in case.planes(axes, context, at=at)]

    def placed(self, region: Region, shape: tuple[int, ...]) -> Region:
        """Return a drawn region, moved to where ``pad`` wants it along axes that it overhangs."""
        if self.pad == "around":
            return region
        start = tuple(
            0 if side > whole else a
            for a, side, whole in zip(region.start, region.shape, shape, strict=True)
        )
        return Region(start, tuple(a + n for a, n in zip(start, region.shape, strict=True)))

    def read(self, volume: Volume, region: Region) -> NDArray[Any]:
        """Return the pixels of ``region``, of as many axes as ``size``, padded beyond its border.

        Returns:
            (inputs, *region.shape) in the stored type.

        Raises:
            DataError: the channels do not suit ``channels``, or floats hold NaN or infinity.
        """
        if self.depth is not None:
            return self.depth.resized(self.read_layers(volume, self.depth.middle(volume), region))
        stored = self._stored(volume)
        pixels = read_padded(volume, region, self.border)
        check_finite(pixels, volume.name)
        if stored == self.channels:
            return pixels
        if stored == 1:
            return np.repeat(pixels, self.channels, axis=0)
        groups = pixels.reshape(self._slices, stored, *region.shape)
        for other in range(1, stored):
            if not np.array_equal(groups[:, other], groups[:, 0]):
                raise _in_colours(volume, stored)
        return groups[:, 0]

    def read_layers(self, volume: Volume, some: Volume, region: Region) -> NDArray[Any]:
        """Return ``region`` of some layers of a volume, padded, before they are resized.

        Args:
            volume: Two axes, ``channels`` layers.
            some: What ``depth`` chose of them.
            region: In pixels of both.

        Returns:
            (layers, *region.shape) in the stored type.

        Raises:
            DataError: the volume has another number of layers, or floats hold NaN or infinity.
        """
        if volume.channels != self.channels:
            raise DataError(
                f"{volume.name}: has {volume.channels} layers, and frame.channels is "
                f"{self.channels}; take as many layers, or train with "
                f"-s frame.channels={volume.channels}"
            )
        pixels = read_padded(some, region, self.border)
        check_finite(pixels, volume.name)
        return pixels

    def look(
        self,
        volume: Volume,
        region: Region,
        factors: Factors,
        *,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the network sees of ``region``, before the quarter turns of ``turn``.

        A training sample that nothing changes is the same, turned.

        Args:
            volume: Of as many axes as ``size``.
            region: In pixels of the volume; it may leave the volume.
            factors: What ``factors`` returned for the volume.
            out: (inputs, *region.shape) float32 of any layout to write to; None: a new array.

        Returns:
            (inputs, *region.shape) float32.
        """
        return normalised(self.read(volume, region), *factors, out=out)

    @property
    def quarter_turns(self) -> View:
        """How a region is turned after all else, in training and in prediction."""
        return TURNS[self.turn]

    def factors(self, volume: Volume, normalise: AnyNormalise) -> Factors:
        """Return shift and factor of each channel the network sees, (inputs,) float32.

        Raises:
            RecipeError: there are neither one number, nor one per channel.
        """
        shift, factor = normalise.factors(volume)
        if len(shift) not in (1, self.inputs, *([] if self.depth else [self.channels])):
            raise RecipeError(
                f"frame.normalise has {len(shift)} numbers, and "
                + (
                    f"the network sees {self.inputs} layers; give one number"
                    if self.depth
                    else f"frame.channels is {self.channels}; give one number, or one per channel"
                )
            )
        times = self.inputs // len(shift)
        if times == 1:
            return shift, factor
        return np.tile(shift, times), np.tile(factor, times)

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return ``normalise`` with the numbers that it learns from training cases.

        Raises:
            DataError: an image holds NaN or infinity, or has other channels than the frame reads.
        """
        found = self.normalise.fit(cases)
        several = isinstance(found, Fixed) and isinstance(found.mean, tuple) and len(found.mean) > 1
        if found is not self.normalise and several and self.inputs == 1:
            colour = next(case.image for case in cases if not is_grey(case.image))
            raise _in_colours(colour, colour.channels)
        return found

    def check_channels(self, volume: Volume, values: NDArray[Any]) -> None:
        """Refuse values (C, *S) of a volume to be cut whose channels the network cannot see.

        Raises:
            DataError: there are others than ``channels``, and they are not grey.
        """
        stored = len(values)
        if stored in (1, self.channels):
            return
        if self.channels != 1:
            raise _other_channels(volume, stored, self.channels)
        if any(not np.array_equal(values[other], values[0]) for other in range(1, stored)):
            raise _in_colours(volume, stored)

    def _stored(self, volume: Volume) -> int:
        """Return the stored channels of a slice."""
        stored, rest = divmod(volume.channels, self._slices)
        if rest:
            raise DataError(
                f"{volume.name}: is not a volume, and frame.slices.context is "
                f"{self._slices // 2}; give a volume, or train with -s frame.slices.context=0"
            )
        if stored != self.channels and stored != 1 and self.channels != 1:
            raise _other_channels(volume, stored, self.channels)
        return stored


def _other_channels(volume: Volume, stored: int, channels: int) -> DataError:
    return DataError(
        f"{volume.name}: has {stored} channels, and frame.channels is {channels}; save it with "
        f"{channels}, or train with -s frame.channels={stored}"
    )


def _in_colours(volume: Volume, stored: int) -> DataError:
    save = "save it in grey without alpha" if stored in (2, 4) else "save it in grey"
    return DataError(
        f"{volume.name}: its {stored} channels differ, and frame.channels is 1, which reads only "
        f"grey images; {save}, or train with -s frame.channels={stored}"
    )
