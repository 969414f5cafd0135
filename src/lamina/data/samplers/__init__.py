"""Samplers: which regions of which cases an epoch consists of.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.samplers.balanced import Balanced as Balanced
from lamina.data.samplers.base import Sampler as Sampler
from lamina.data.samplers.in_mask import InMask as InMask
from lamina.data.samplers.mixed import Mixed as Mixed
from lamina.data.samplers.random_crop import RandomCrop as RandomCrop

AnySampler = Annotated[RandomCrop | Balanced | Mixed | InMask, Field(discriminator="kind")]
