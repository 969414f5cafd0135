"""Networks. To add one: write its file here, then name it in the lines below."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lamina.model.networks.albunet import AlbuNet
from lamina.model.networks.base import Network
from lamina.model.networks.dncnn import Dncnn
from lamina.model.networks.encoded import Encoded
from lamina.model.networks.nafnet import Nafnet
from lamina.model.networks.pixel_shuffle import PixelShuffle
from lamina.model.networks.smp import Smp
from lamina.model.networks.upconv_unet import UpconvUnet


def _unet_unless_told(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    # Whatever passes here is no longer JSON, where a list is what a tuple is checked by.
    told = {key: tuple(one) if isinstance(one, list) else one for key, one in value.items()}
    return {"kind": "unet", **told}


AnyNetwork = Annotated[
    Smp | AlbuNet | Dncnn | Nafnet | PixelShuffle | UpconvUnet,
    Field(discriminator="kind"),
    BeforeValidator(_unet_unless_told),
]

__all__ = [
    "AlbuNet",
    "AnyNetwork",
    "Dncnn",
    "Encoded",
    "Nafnet",
    "Network",
    "PixelShuffle",
    "Smp",
    "UpconvUnet",
]
