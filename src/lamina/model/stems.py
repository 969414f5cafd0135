"""Pretrained first convolutions for images whose channels are not red, green and blue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lamina.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

_PATTERN = "sum|mean|cyclic|[rgb]+"


def _known(stem: str) -> str:
    if not re.fullmatch(_PATTERN, stem):
        raise ValueError(
            "it must be sum, mean, cyclic, or letters of r, g and b: one plane for every channel, "
            "or one letter for each"
        )
    return stem


Stem = Annotated[
    str,
    AfterValidator(_known),
    Field(json_schema_extra={"pattern": f"^({_PATTERN})$"}),
]
"""How planes become channels: see ``adapt``."""


def adapt(weight: Tensor, inputs: int, stem: Stem) -> Tensor:
    """Return a first convolution's weights for ``inputs`` channels in place of red, green, blue.

    ====== ============================================================================
    sum    the sum of the planes, shared among the inputs: n equal channels answer as grey
           stored three times did (FAULT-7)
    mean   the mean of the planes for every input
    r g b  one plane as it is for every input, not rescaled (STEEL-10); several letters, such as
           ``rg`` or ``bgr``, are the planes of as many inputs
    cyclic one input: the sum; else planes r, g, b, r, ... times 3 / inputs (INK-17)
    ====== ============================================================================

    Args:
        weight: (K, 3, ...) weights for three channels.
        inputs: Number of channels of the new image; for three, only letters change the weights.
        stem: Which rule.

    Returns:
        (K, inputs, ...), of the same type.

    Raises:
        RecipeError: several letters are not as many as ``inputs``.
        ValueError: the weights are not for three channels, or ``inputs`` is below 1.
    """
    if weight.ndim < 2 or weight.shape[1] != 3 or inputs < 1:
        raise ValueError(f"no stem of {inputs} inputs from weights {tuple(weight.shape)}")
    if inputs == 3 and stem in ("sum", "mean", "cyclic"):
        return weight
    repeats = (1, inputs, *(1,) * (weight.ndim - 2))
    if stem == "cyclic" and inputs > 1:
        return weight[:, [plane % 3 for plane in range(inputs)]] * (3 / inputs)
    if stem in ("sum", "cyclic"):
        return weight.sum(1, keepdim=True).repeat(repeats) / inputs
    if stem == "mean":
        return weight.mean(1, keepdim=True).repeat(repeats)
    letters = stem * inputs if len(stem) == 1 else stem
    if len(letters) != inputs:
        raise RecipeError(
            f"network.stem is '{stem}', {len(stem)} planes for an image of {inputs} channels; "
            f"write one letter, or {inputs}"
        )
    return weight[:, ["rgb".index(letter) for letter in letters]]
