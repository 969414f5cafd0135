"""Every transform that stands for itself, as recipes and groups of transforms may name it."""

from __future__ import annotations

from lamina.data.transforms.affine import Affine
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
from lamina.data.transforms.optical_distort import OpticalDistort
from lamina.data.transforms.rot90 import Rot90
from lamina.data.transforms.sharpen import Sharpen

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
