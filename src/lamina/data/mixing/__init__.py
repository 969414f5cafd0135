"""Mixing: samples of one batch combined with one another.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.mixing.base import Mix as Mix
from lamina.data.mixing.base import Samples as Samples
from lamina.data.mixing.blind_spots import BlindSpots as BlindSpots
from lamina.data.mixing.copy_paste import CopyPaste as CopyPaste
from lamina.data.mixing.cutmix import Cutmix as Cutmix
from lamina.data.mixing.mixup import Mixup as Mixup

AnyMix = Annotated[BlindSpots | CopyPaste | Cutmix | Mixup, Field(discriminator="kind")]
