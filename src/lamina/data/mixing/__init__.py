"""Mixing: samples of one batch combined with one another.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.mixing.base import Mix, Stack
from lamina.data.mixing.copy_paste import CopyPaste
from lamina.data.mixing.cutmix import Cutmix
from lamina.data.mixing.mixup import Mixup

AnyMix = Annotated[CopyPaste | Cutmix | Mixup, Field(discriminator="kind")]

__all__ = ["AnyMix", "CopyPaste", "Cutmix", "Mix", "Mixup", "Stack"]
