"""The layers of a residual U-Net of two or three axes.

Letters: B batch, C channels, S the sides of the axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

_CONVOLUTION: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_POOL: dict[int, Any] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_BATCH: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}

_SLOPE = 0.01
_GROUP = 8  # channels

Norm = Literal["group", "instance", "batch"]
Sides = Sequence[int]


class ResunetModule(nn.Module):
    """The whole network; arguments are named after the options of ``Resunet``.

    Maps (B, inputs, *S) to (B, outputs, *S) logits; with ``supervision``, in training mode, to a
    list of them, from full size to the coarsest level but one.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: Sequence[int],
        blocks: Sequence[int],
        convolutions: int,
        strides: Sequence[Sides],
        kernels: Sequence[Sides],
        norm: Norm,
        supervision: bool,
        prior: float | None,
    ) -> None:
        super().__init__()
        axes = len(strides[0])
        self.stem = _Convolution(inputs, widths[0], kernels[0], strides[0], norm)
        below = [widths[0], *widths[:-1]]
        self.down = nn.ModuleList(
            nn.Sequential(
                *(
                    Block(
                        width if number else before, width, kernel, () if number else stride, norm
                    )
                    for number in range(count)
                )
            )
            for before, width, kernel, stride, count in zip(
                below, widths, kernels, strides, blocks, strict=True
            )
        )
        upward = range(len(widths) - 2, -1, -1)
        self.grow = nn.ModuleList(
            _TRANSPOSED[axes](
                widths[level + 1],
                widths[level],
                kernel_size=tuple(strides[level + 1]),
                stride=tuple(strides[level + 1]),
            )
            for level in upward
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                *(
                    _Convolution(
                        widths[level] * (1 if number else 2),
                        widths[level],
                        kernels[level],
                        (),
                        norm,
                    )
                    for number in range(convolutions)
                )
            )
            for level in upward
        )
        self.apply(_start)
        for module in self.modules():
            if isinstance(module, Block):
                nn.init.zeros_(module.two[1].weight)  # type: ignore[arg-type]  # starts as the skip
        levels = len(widths) - 1 if supervision else 1
        self.heads = nn.ModuleList(
            _CONVOLUTION[axes](widths[level], outputs, 1) for level in range(levels)
        )
        for head in self.heads:
            nn.init.kaiming_normal_(head.weight, a=_SLOPE)  # type: ignore[arg-type]
            nn.init.constant_(head.bias, _logit(prior))  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        features = self.stem(image)
        skips: list[Tensor] = []
        for level in self.down:
            features = level(features)
            skips.append(features)
        skips.pop()
        maps: list[Tensor] = []
        for grow, convolve in zip(self.grow, self.up, strict=True):
            features = convolve(torch.cat([grow(features), skips.pop()], 1))
            maps.append(features)
        maps.reverse()
        if not self.training:
            logits: Tensor = self.heads[0](maps[0])
            return logits
        answers = [head(features) for head, features in zip(self.heads, maps, strict=False)]
        return answers if len(self.heads) > 1 else answers[0]


class Block(nn.Module):
    """Two convolutions with norms, and what they are added to (He et al. 2016).

    Where a block strides, the skip is a mean over the strides (He et al. 2019, ResNet-D); where it
    changes the number of channels, a convolution of a pixel follows.
    """

    def __init__(self, before: int, after: int, kernel: Sides, stride: Sides, norm: Norm) -> None:
        super().__init__()
        axes, wide = len(kernel), any(n > 1 for n in stride)
        self.one = _Convolution(before, after, kernel, stride, norm)
        self.two = nn.Sequential(_convolution(after, after, kernel, ()), _norm(norm, axes, after))
        skip: list[nn.Module] = []
        if wide:
            skip.append(_POOL[axes](tuple(stride), tuple(stride)))
        if before != after:
            skip += [_convolution(before, after, (1,) * axes, ()), _norm(norm, axes, after)]
        self.skip = nn.Sequential(*skip)
        self.relu = nn.LeakyReLU(_SLOPE, inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.relu(self.two(self.one(features)) + self.skip(features))
        return out


class _Convolution(nn.Sequential):
    """A convolution, a norm and an activation."""

    def __init__(self, before: int, after: int, kernel: Sides, stride: Sides, norm: Norm) -> None:
        super().__init__(
            _convolution(before, after, kernel, stride),
            _norm(norm, len(kernel), after),
            nn.LeakyReLU(_SLOPE, inplace=True),
        )


def _convolution(before: int, after: int, kernel: Sides, stride: Sides) -> nn.Module:
    convolution: nn.Module = _CONVOLUTION[len(kernel)](
        before,
        after,
        tuple(kernel),
        stride=tuple(stride) or 1,
        padding=tuple(n // 2 for n in kernel),
        bias=False,  # the norm after it has one
    )
    return convolution


def _norm(kind: Norm, axes: int, channels: int) -> nn.Module:
    if kind == "batch":
        batch: nn.Module = _BATCH[axes](channels)
        return batch
    # A group of each channel is an instance norm, of any number of axes.
    return nn.GroupNorm(
        channels if kind == "instance" else channels // math.gcd(channels, _GROUP), channels
    )


def _start(module: nn.Module) -> None:
    if isinstance(module, (*_CONVOLUTION.values(), *_TRANSPOSED.values())):
        nn.init.kaiming_normal_(module.weight, a=_SLOPE)  # type: ignore[arg-type]
        if module.bias is not None:
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def _logit(prior: float | None) -> float:
    return 0.0 if prior is None else math.log(prior / (1 - prior))
