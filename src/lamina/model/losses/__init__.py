"""Losses: what training minimizes.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.model.losses.base import Loss
from lamina.model.losses.bce import Bce
from lamina.model.losses.charbonnier import Charbonnier
from lamina.model.losses.cross_entropy import CrossEntropy
from lamina.model.losses.dice import Dice
from lamina.model.losses.focal import Focal
from lamina.model.losses.jaccard import Jaccard
from lamina.model.losses.l1 import L1
from lamina.model.losses.lovasz import Lovasz
from lamina.model.losses.mse import Mse
from lamina.model.losses.ssim_loss import Ssim
from lamina.model.losses.weighted import total

AnyLoss = Annotated[
    Bce | Charbonnier | CrossEntropy | Dice | Focal | Jaccard | L1 | Lovasz | Mse | Ssim,
    Field(discriminator="kind"),
]

__all__ = [
    "L1",
    "AnyLoss",
    "Bce",
    "Charbonnier",
    "CrossEntropy",
    "Dice",
    "Focal",
    "Jaccard",
    "Loss",
    "Lovasz",
    "Mse",
    "Ssim",
    "total",
]
