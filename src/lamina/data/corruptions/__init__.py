"""Corruptions: declared noise that is put on clean images.

To add one: write its file here, then name it in the two lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.corruptions.base import Corruption, Scene
from lamina.data.corruptions.gaussian import Gaussian
from lamina.data.corruptions.poisson import Poisson
from lamina.data.corruptions.stripes import Stripes
from lamina.data.corruptions.swell import Swell

AnyCorruption = Annotated[Gaussian | Poisson | Stripes | Swell, Field(discriminator="kind")]

__all__ = ["AnyCorruption", "Corruption", "Gaussian", "Poisson", "Scene", "Stripes", "Swell"]
