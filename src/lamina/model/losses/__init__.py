"""Losses: what training minimizes.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.model.losses.base import Loss as Loss
from lamina.model.losses.bce import Bce as Bce
from lamina.model.losses.charbonnier import Charbonnier as Charbonnier
from lamina.model.losses.cross_entropy import CrossEntropy as CrossEntropy
from lamina.model.losses.dice import Dice as Dice
from lamina.model.losses.focal import Focal as Focal
from lamina.model.losses.jaccard import Jaccard as Jaccard
from lamina.model.losses.l1 import L1 as L1
from lamina.model.losses.lovasz import Lovasz as Lovasz
from lamina.model.losses.mse import Mse as Mse
from lamina.model.losses.ssim_loss import Ssim as Ssim
from lamina.model.losses.weighted import total as total

AnyLoss = Annotated[
    Bce | Charbonnier | CrossEntropy | Dice | Focal | Jaccard | L1 | Lovasz | Mse | Ssim,
    Field(discriminator="kind"),
]
