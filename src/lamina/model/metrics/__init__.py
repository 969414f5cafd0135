"""Metrics: scores of predictions against targets.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.model.metrics.average_precision import AveragePrecision as AveragePrecision
from lamina.model.metrics.base import Metric as Metric
from lamina.model.metrics.base import Score as Score
from lamina.model.metrics.counts import CountMetric as CountMetric
from lamina.model.metrics.dice_score import DiceScore as DiceScore
from lamina.model.metrics.f_beta import FBeta as FBeta
from lamina.model.metrics.hd95 import Hd95 as Hd95
from lamina.model.metrics.iou import Iou as Iou
from lamina.model.metrics.mse_score import MseScore as MseScore
from lamina.model.metrics.nsd import Nsd as Nsd
from lamina.model.metrics.precision import Precision as Precision
from lamina.model.metrics.psnr import Psnr as Psnr
from lamina.model.metrics.ratios import RatioMetric as RatioMetric
from lamina.model.metrics.recall import Recall as Recall
from lamina.model.metrics.soft_dice import SoftDice as SoftDice
from lamina.model.metrics.ssim import Ssim as Ssim
from lamina.model.metrics.tolerant_dice import TolerantDice as TolerantDice

AnyMetric = Annotated[
    AveragePrecision
    | DiceScore
    | FBeta
    | Hd95
    | Iou
    | MseScore
    | Nsd
    | Precision
    | Psnr
    | Recall
    | SoftDice
    | Ssim
    | TolerantDice,
    Field(discriminator="kind"),
]
