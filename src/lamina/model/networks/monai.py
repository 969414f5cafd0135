"""Networks of MONAI, of images and of volumes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from lamina.model.networks.plain import Plain
from lamina.model.networks.strides import Sides, kernels_of, multiples_of, strides_of

if TYPE_CHECKING:
    from torch import nn

_LEVELS = 6


class Monai(Plain):
    """A network of MONAI (extra ``monai``): nnU-Net's DynUNet, SegResNet (Myronenko 2018) or
    SwinUNETR (Hatamizadeh et al. 2022); of two axes or three, as ``frame.size`` has.
    """

    axes: ClassVar[tuple[int, ...]] = (2, 3)

    kind: Literal["dynunet", "segresnet", "swinunetr"] = "dynunet"

    residual: bool = False
    """In a restore task: the network predicts the noise, which is subtracted from the normalised
    input. It needs as many outputs as inputs."""

    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Options of the network by MONAI's names, such as ``filters`` or ``feature_size``. Strides and
    kernels of dynunet follow from the size and spacing of the frame where they are left out."""

    spatial_dims: Literal[2, 3] | None = None
    """Axes of the input; null: those of ``frame.size``."""

    supervision: bool = False
    """dynunet: in training its coarser levels answer too (deep supervision), as many as the option
    ``deep_supr_num`` says, with weights 1, 1/2, ..., 0, divided by their sum."""

    @model_validator(mode="after")
    def _levels_answer_in_logits(self) -> Self:
        if not self.supervision:
            return self
        if self.kind != "dynunet":
            raise ValueError(
                f"supervision is true, and {self.kind} answers once; set it to false, or kind to "
                "dynunet"
            )
        if self.residual or self.activation != "identity":
            raise ValueError(
                "supervision is true, and residual or activation are of full size alone; leave one "
                "out"
            )
        return self

    def suited(self, size: tuple[int, ...], spacing: tuple[float, ...] | None = None) -> Self:
        """Return the network with its number of axes, and dynunet with strides and kernels.

        Raises:
            ValueError: it is of another number of axes.
        """
        if self.spatial_dims not in (None, len(size)):
            raise ValueError(
                f"network.spatial_dims is {self.spatial_dims}, and frame.size {list(size)} has "
                f"{len(size)} numbers; leave spatial_dims out"
            )
        update: dict[str, object] = {"spatial_dims": len(size)}
        if self.kind == "dynunet" and not {"strides", "kernel_size"} <= self.options.keys():
            steps = spacing or (1.0,) * len(size)
            strides = self._given_or_by_rule(size, steps)
            sides = {"strides": strides, "kernel_size": kernels_of(size, steps, strides)}
            given = {name: [list(side) for side in each] for name, each in sides.items()}
            update["options"] = {**given, **self.options}
        return self.model_copy(update=update)

    @property
    def multiples(self) -> tuple[int, ...]:
        """What sides must be multiples of, along each axis; those of a recipe are known."""
        axes = self.spatial_dims or 3
        if self.kind == "dynunet":
            return multiples_of(self._strides(axes))
        if self.kind == "segresnet":
            blocks = self.options.get("blocks_down")
            return (1 << ((len(blocks) if isinstance(blocks, list) else 4) - 1),) * axes
        patch = self.options.get("patch_size", 2)
        return ((patch if isinstance(patch, int) else 2) ** 5,) * axes

    @property
    def multiple(self) -> int:
        """The least common multiple of ``multiples``."""
        return math.lcm(*self.multiples)

    def check(self, inputs: int, outputs: int) -> None:
        """Build the network; swinunetr takes numbers from tensors, so in memory."""
        if self.kind != "swinunetr":
            super().check(inputs, outputs)
            return
        import torch

        with torch.random.fork_rng(devices=[]):
            self.untrained().build(inputs, outputs)

    def unfit(self, size: tuple[int, ...]) -> str | None:
        """Return also where one voxel is left, of which an instance norm has no statistics."""
        problem = super().unfit(size)
        left = [n // m for n, m in zip(size, self.multiples, strict=False)]
        if problem is None and self.kind != "segresnet" and math.prod(left) == 1:
            return f"leaves one voxel at its last level; needs at least {[2 * n for n in size]}"
        return problem

    def _given_or_by_rule(self, size: tuple[int, ...], steps: tuple[float, ...]) -> Sides:
        if "strides" in self.options:
            return self._strides(len(size))
        filters = self.options.get("filters")
        return strides_of(size, steps, len(filters) if isinstance(filters, list) else _LEVELS)

    def _strides(self, axes: int) -> Sides:
        """Return the strides of dynunet, one number for each axis."""
        strides = self.options.get("strides")
        if strides is None:
            raise ValueError("strides follow from the size of the input; call suited first")
        if not isinstance(strides, list) or not strides:
            raise ValueError(
                f"network.options.strides is {strides}; list the stride of each level, the first 1"
            )
        sides = []
        for stride in strides:
            each = stride if isinstance(stride, list) else [stride] * axes
            sides.append(tuple(n if isinstance(n, int) and n > 0 else 1 for n in each))
        return tuple(sides)

    def _bare(self, inputs: int, outputs: int) -> nn.Module:
        from lamina.model.modules.monai import monai_network

        return monai_network(
            self.kind,
            inputs,
            outputs,
            axes=self.spatial_dims or 3,
            options=self.options,
            supervision=self.supervision,
        )
