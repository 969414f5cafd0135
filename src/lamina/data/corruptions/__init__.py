"""Corruptions: declared noise that is put on clean images.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.corruptions.base import Corruption as Corruption
from lamina.data.corruptions.base import Scene as Scene
from lamina.data.corruptions.gaussian import Gaussian as Gaussian
from lamina.data.corruptions.grain import Grain as Grain
from lamina.data.corruptions.poisson import Poisson as Poisson
from lamina.data.corruptions.stripes import Stripes as Stripes
from lamina.data.corruptions.swell import Swell as Swell

AnyCorruption = Annotated[Gaussian | Grain | Poisson | Stripes | Swell, Field(discriminator="kind")]
