"""Networks: architectures as values that build a torch module.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from lamina.model.networks.albunet import AlbuNet as AlbuNet
from lamina.model.networks.base import Network as Network
from lamina.model.networks.dncnn import Dncnn as Dncnn
from lamina.model.networks.drunet import Drunet as Drunet
from lamina.model.networks.encoded import Encoded as Encoded
from lamina.model.networks.monai import Monai as Monai
from lamina.model.networks.nafnet import Nafnet as Nafnet
from lamina.model.networks.pixel_shuffle import PixelShuffle as PixelShuffle
from lamina.model.networks.quarter_unet import QuarterUnet as QuarterUnet
from lamina.model.networks.resunet import Resunet as Resunet
from lamina.model.networks.slice_fusion import SliceFusion as SliceFusion
from lamina.model.networks.slice_fusion import unet_unless_told
from lamina.model.networks.smp import Smp as Smp
from lamina.model.networks.upconv_unet import UpconvUnet as UpconvUnet
from lamina.model.networks.volume_unet import VolumeUnet as VolumeUnet

AnyNetwork = Annotated[
    Smp
    | AlbuNet
    | Dncnn
    | Drunet
    | Monai
    | Nafnet
    | PixelShuffle
    | QuarterUnet
    | Resunet
    | SliceFusion
    | UpconvUnet
    | VolumeUnet,
    Field(discriminator="kind"),
    BeforeValidator(unet_unless_told),
]
