"""Samplers: which regions of which cases an epoch consists of.

To add one: write its file, then name it below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.samplers.balanced import Balanced
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.in_mask import InMask
from lamina.data.samplers.mixed import Mixed
from lamina.data.samplers.random_crop import RandomCrop

AnySampler = Annotated[RandomCrop | Balanced | Mixed | InMask, Field(discriminator="kind")]

__all__ = ["AnySampler", "Balanced", "InMask", "Mixed", "RandomCrop", "Sampler"]
