"""Networks: architectures as values that build a torch module.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from lamina.model.networks.albunet import AlbuNet
from lamina.model.networks.base import Network
from lamina.model.networks.dncnn import Dncnn
from lamina.model.networks.drunet import Drunet
from lamina.model.networks.encoded import Encoded
from lamina.model.networks.nafnet import Nafnet
from lamina.model.networks.pixel_shuffle import PixelShuffle
from lamina.model.networks.quarter_unet import QuarterUnet
from lamina.model.networks.slice_fusion import SliceFusion, unet_unless_told
from lamina.model.networks.smp import Smp
from lamina.model.networks.upconv_unet import UpconvUnet
from lamina.model.networks.volume_unet import VolumeUnet

AnyNetwork = Annotated[
    Smp
    | AlbuNet
    | Dncnn
    | Drunet
    | Nafnet
    | PixelShuffle
    | QuarterUnet
    | SliceFusion
    | UpconvUnet
    | VolumeUnet,
    Field(discriminator="kind"),
    BeforeValidator(unet_unless_told),
]

__all__ = [
    "AlbuNet",
    "AnyNetwork",
    "Dncnn",
    "Drunet",
    "Encoded",
    "Nafnet",
    "Network",
    "PixelShuffle",
    "QuarterUnet",
    "SliceFusion",
    "Smp",
    "UpconvUnet",
    "VolumeUnet",
]
