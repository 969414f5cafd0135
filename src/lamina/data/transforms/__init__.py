"""Transforms: random changes of training samples.

To add one: write its file, name it in ``single`` and below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.transforms.affine import Affine
from lamina.data.transforms.base import Patch, Table, Touch, Transform, Warp, Where
from lamina.data.transforms.blur import Blur
from lamina.data.transforms.brightness_contrast import BrightnessContrast
from lamina.data.transforms.clahe import Clahe
from lamina.data.transforms.cutout import Cutout
from lamina.data.transforms.elastic import Elastic
from lamina.data.transforms.flip import Flip
from lamina.data.transforms.gamma import Gamma
from lamina.data.transforms.grid_distort import GridDistort
from lamina.data.transforms.motion_blur import MotionBlur
from lamina.data.transforms.noise import Noise
from lamina.data.transforms.one_of import OneOf
from lamina.data.transforms.optical_distort import OpticalDistort
from lamina.data.transforms.rot90 import Rot90
from lamina.data.transforms.sharpen import Sharpen
from lamina.data.transforms.single import Single

AnyTransform = Annotated[Single | OneOf, Field(discriminator="kind")]

__all__ = [
    "Affine",
    "AnyTransform",
    "Blur",
    "BrightnessContrast",
    "Clahe",
    "Cutout",
    "Elastic",
    "Flip",
    "Gamma",
    "GridDistort",
    "MotionBlur",
    "Noise",
    "OneOf",
    "OpticalDistort",
    "Patch",
    "Rot90",
    "Sharpen",
    "Table",
    "Touch",
    "Transform",
    "Warp",
    "Where",
]
