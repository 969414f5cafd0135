"""What is looked at in an epoch. To add one: write its file, then name it below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.samplers.balanced import Balanced
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.random_crop import RandomCrop

AnySampler = Annotated[RandomCrop | Balanced, Field(discriminator="kind")]

__all__ = ["AnySampler", "Balanced", "RandomCrop", "Sampler"]
