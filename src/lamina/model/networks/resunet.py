"""A U-Net with a residual encoder, of images and of volumes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lamina.model.networks.plain import Plain
from lamina.model.networks.strides import (
    SMALLEST,
    Sides,
    kernels_of,
    multiples_of,
    strides_of,
)
from lamina.spec import ADDED_LATER

if TYPE_CHECKING:
    from torch import nn

_BLOCKS = (1, 3, 4, 6, 6, 6)

Stride = Annotated[int, Field(ge=1, le=4)]
Strides = Annotated[
    tuple[Annotated[tuple[Stride, ...], Field(min_length=2, max_length=3)], ...],
    Field(min_length=1),
]
Kernel = Annotated[int, Field(ge=1, le=7)]
Kernels = Annotated[
    tuple[Annotated[tuple[Kernel, ...], Field(min_length=2, max_length=3)], ...],
    Field(min_length=1),
]


class Resunet(Plain):
    """Residual blocks on the way down, plain convolutions on the way up; two axes or three, as
    ``frame.size`` has.

    Up is a transposed convolution; skips are joined; activations are leaky ReLU of 0.01. The
    defaults are nnU-Net's (Isensee et al. 2024, the residual encoder).
    """

    axes: ClassVar[tuple[int, ...]] = (2, 3)

    kind: Literal["resunet"] = "resunet"

    residual: bool = False
    """In a restore task: the network predicts the noise, which is subtracted from the normalised
    input. It needs as many outputs as inputs."""

    width: PositiveInt = 32
    """Channels at full size; twice as many at each further level."""

    most: PositiveInt = 320
    """Most channels of a level."""

    blocks: tuple[PositiveInt, ...] | None = Field(default=None, min_length=2)
    """Residual blocks of each level on the way down, the finest first; as many levels as numbers.
    null: 1, 3, 4, 6, 6, 6, as far as the sides of ``frame.size`` allow."""

    convolutions: PositiveInt = 1
    """Convolutions of each level on the way up."""

    spacing: tuple[PositiveFloat, ...] | None = None
    """Distance between neighbours along each axis of the input, in any unit: ``strides`` and
    ``kernels`` follow from it where they are null. null: that of the frame, or equal."""

    strides: Strides | None = None
    """Stride with which each level begins, one for each axis, the first 1. null: axes are halved
    whose spacing is within twice the finest, while a side is at least 8."""

    kernels: Kernels | None = None
    """Odd sides of the convolutions of each level. null: 3, and 1 along an axis until its spacing
    is within twice the finest."""

    norm: Literal["group", "instance", "batch"] = "instance"
    """group: of 8 channels; instance: each channel of each sample by itself; batch: needs batches
    large enough for their statistics."""

    supervision: bool = False
    """In training every level on the way up answers too (deep supervision): with weights 1, 1/2,
    1/4, ..., 0 for the coarsest, divided by their sum."""

    prior: float | None = Field(default=None, gt=0, lt=1)
    """Probability that every output starts at, by the last bias (Lin et al. 2017, RetinaNet); null:
    about one half."""

    shrink: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16)], ...] | None,
        ADDED_LATER,
        Field(min_length=2, max_length=3),
    ] = None
    """The network sees means over boxes of this many pixels, one number for each axis; its logits
    are interpolated back. ``[1, 2, 2]`` computes a quarter of the voxels and sees twice as far in
    the plane; details finer than the boxes are lost. null: it sees every pixel."""

    @model_validator(mode="after")
    def _levels_are_said_alike(self) -> Self:
        lengths = {
            name: len(value)
            for name in ("blocks", "strides", "kernels")
            if (value := getattr(self, name)) is not None
        }
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in lengths.items())
            raise ValueError(f"these are of different numbers of levels: {said}; name as many")
        each = (*(self.strides or ()), *(self.kernels or ()))
        axes = {len(one) for one in (*each, self.spacing, self.shrink) if one}
        if len(axes) > 1:
            raise ValueError(
                "strides, kernels, spacing and shrink name different numbers of axes; name one "
                "number for each axis of frame.size"
            )
        return self

    @model_validator(mode="after")
    def _sides_are_possible(self) -> Self:
        if self.strides is not None and set(self.strides[0]) != {1}:
            raise ValueError(
                f"strides begins with {list(self.strides[0])}, but the first level is of full "
                "size: begin with 1 along every axis"
            )
        if any(n % 2 == 0 for kernel in self.kernels or () for n in kernel):
            raise ValueError("kernels has an even side; sides are 1, 3, 5 or 7")
        return self

    @model_validator(mode="after")
    def _noise_is_found_at_full_size(self) -> Self:
        if self.residual and max(self.shrink or (1,)) > 1:
            raise ValueError(
                f"residual is true, and shrink is {list(self.shrink or ())}: noise cannot be found "
                "in means over pixels; leave shrink out, or set residual to false"
            )
        return self

    @model_validator(mode="after")
    def _levels_answer_in_logits(self) -> Self:
        if self.supervision and (self.residual or self.activation != "identity"):
            key = "residual" if self.residual else "activation"
            raise ValueError(
                f"supervision is true, and {key} is {str(getattr(self, key)).lower()}, which is of "
                "full size alone; leave one out"
            )
        return self

    def suited(self, size: tuple[int, ...], spacing: tuple[float, ...] | None = None) -> Self:
        """Return the network with its strides and kernels.

        Raises:
            ValueError: options are of another number of axes, or there are more levels than the
                sides allow.
        """
        self._refuse_other_axes(size)
        factors = self._factors_of(len(size))
        known = self.spacing or spacing or (1.0,) * len(size)
        steps = tuple(step * factor for step, factor in zip(known, factors, strict=True))
        seen = tuple(n // factor for n, factor in zip(size, factors, strict=True))
        blocks, strides = self.blocks, self.strides
        if strides is None:
            levels = self.kernels or blocks or _BLOCKS
            strides = strides_of(seen, steps, len(levels))
            if levels is not _BLOCKS and len(strides) < len(levels):
                raise ValueError(
                    f"network.{'kernels' if self.kernels else 'blocks'} has {len(levels)} levels, "
                    f"and frame.size {list(size)}{self._divided()} can be halved to {len(strides)} "
                    f"(even sides of at least {2 * SMALLEST}); name as many, or set frame.size "
                    "larger"
                )
        kernels = self.kernels or kernels_of(seen, steps, strides)
        blocks = blocks or (_BLOCKS + _BLOCKS[-1:] * len(strides))[: len(strides)]
        update = {"blocks": blocks, "strides": strides, "kernels": kernels}
        return self.model_copy(update=update)

    def _divided(self) -> str:
        return f" divided by shrink {list(self.shrink)}" if self.shrink else ""

    def _factors_of(self, axes: int) -> tuple[int, ...]:
        """Return ``shrink`` for each axis."""
        return self.shrink or (1,) * axes

    def _refuse_other_axes(self, size: tuple[int, ...]) -> None:
        for name in ("strides", "kernels", "spacing", "shrink"):
            value = getattr(self, name)
            if value is None:
                continue
            axes = len(value[0] if name in ("strides", "kernels") else value)
            if axes != len(size):
                raise ValueError(
                    f"network.{name} is of {axes} axes, and frame.size {list(size)} of "
                    f"{len(size)}; name one number for each"
                )

    @property
    def multiples(self) -> tuple[int, ...]:
        """The strides along each axis multiplied, times ``shrink``; those of a recipe are known.

        Raises:
            ValueError: strides are not known before ``suited``.
        """
        of_strides = multiples_of(self._known(self.strides))
        factors = self._factors_of(len(of_strides))
        return tuple(m * factor for m, factor in zip(of_strides, factors, strict=True))

    @property
    def multiple(self) -> int:
        """The least common multiple of ``multiples``."""
        return math.lcm(*self.multiples)

    def unfit(self, size: tuple[int, ...]) -> str | None:
        """Return also why too little is left at the last level."""
        problem = super().unfit(size)
        if problem is not None:
            return problem
        left = [n // m for n, m in zip(size, self.multiples, strict=True)]
        strides = multiples_of(self._known(self.strides))
        if any(n < SMALLEST for n, m in zip(left, strides, strict=True) if m > 1):
            pairs = zip(self.multiples, strides, strict=True)
            least = [SMALLEST * m if stride > 1 else m for m, stride in pairs]
            return (
                f"leaves {' x '.join(map(str, left))} at its last level, and needs {SMALLEST} "
                f"along axes that are halved: at least {least}"
            )
        return None

    def _known(self, sides: Sides | None) -> Sides:
        if sides is None:
            raise ValueError("strides follow from the size of the input; call suited first")
        return sides

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        from lamina.model.downscale import shrink
        from lamina.model.modules.resunet import ResunetModule

        strides = self._known(self.strides)
        network = ResunetModule(
            inputs,
            outputs,
            widths=[min(self.width << level, self.most) for level in range(len(strides))],
            blocks=self.blocks or (),
            convolutions=self.convolutions,
            strides=strides,
            kernels=self._known(self.kernels),
            norm=self.norm,
            supervision=self.supervision,
            prior=self.prior,
        )
        shrink(network, self._factors_of(len(strides[0])))
        return network
