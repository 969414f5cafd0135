"""Transforms: random changes of training samples.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.transforms.affine import Affine as Affine
from lamina.data.transforms.base import Patch as Patch
from lamina.data.transforms.base import Table as Table
from lamina.data.transforms.base import Touch as Touch
from lamina.data.transforms.base import Transform as Transform
from lamina.data.transforms.base import Warp as Warp
from lamina.data.transforms.base import Where as Where
from lamina.data.transforms.blur import Blur as Blur
from lamina.data.transforms.brightness_contrast import BrightnessContrast as BrightnessContrast
from lamina.data.transforms.clahe import Clahe as Clahe
from lamina.data.transforms.cutout import Cutout as Cutout
from lamina.data.transforms.elastic import Elastic as Elastic
from lamina.data.transforms.flip import Flip as Flip
from lamina.data.transforms.gamma import Gamma as Gamma
from lamina.data.transforms.grid_distort import GridDistort as GridDistort
from lamina.data.transforms.motion_blur import MotionBlur as MotionBlur
from lamina.data.transforms.noise import Noise as Noise
from lamina.data.transforms.one_of import OneOf as OneOf
from lamina.data.transforms.optical_distort import OpticalDistort as OpticalDistort
from lamina.data.transforms.rot90 import Rot90 as Rot90
from lamina.data.transforms.sharpen import Sharpen as Sharpen

Single = (
    Flip
    | Rot90
    | Affine
    | Elastic
    | GridDistort
    | OpticalDistort
    | BrightnessContrast
    | Gamma
    | Noise
    | Blur
    | MotionBlur
    | Sharpen
    | Clahe
    | Cutout
)

OneOf.model_rebuild(_types_namespace={"Single": Single})  # it is made of all others

AnyTransform = Annotated[Single | OneOf, Field(discriminator="kind")]
