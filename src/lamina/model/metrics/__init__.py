"""Metrics: scores of predictions against targets.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.model.metrics.base import Metric, Score
from lamina.model.metrics.counts import CountMetric
from lamina.model.metrics.dice_score import DiceScore
from lamina.model.metrics.f_beta import FBeta
from lamina.model.metrics.iou import Iou
from lamina.model.metrics.mse_score import MseScore
from lamina.model.metrics.precision import Precision
from lamina.model.metrics.psnr import Psnr
from lamina.model.metrics.ratios import RatioMetric
from lamina.model.metrics.recall import Recall
from lamina.model.metrics.soft_dice import SoftDice
from lamina.model.metrics.ssim import Ssim
from lamina.model.metrics.tolerant_dice import TolerantDice

AnyMetric = Annotated[
    DiceScore | FBeta | Iou | MseScore | Precision | Psnr | Recall | SoftDice | Ssim | TolerantDice,
    Field(discriminator="kind"),
]

__all__ = [
    "AnyMetric",
    "CountMetric",
    "DiceScore",
    "FBeta",
    "Iou",
    "Metric",
    "MseScore",
    "Precision",
    "Psnr",
    "RatioMetric",
    "Recall",
    "Score",
    "SoftDice",
    "Ssim",
    "TolerantDice",
]
