"""Means over members: of logits, of probabilities, or of their powers (STEEL-24).

Probabilities of a member may be calibrated first.

With weights w that sum to 1, p = 1 is the arithmetic mean, 2 the root mean square, 3 the cubic
mean (sum of w a^p)^(1/p). Of exclusive classes the higher means are divided by their sum, so that
they stay probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.recipe.recipe import Pool
from lamina.result.calibration import Calibration

Kind = Literal["binary", "multilabel", "multiclass", "restore"]

POWERS: dict[Pool, int] = {"probability": 1, "root_mean_square": 2, "cubic": 3}

_LOW, _HIGH = 2.0**-25, 1 - 2.0**-12  # as far as logits of stored probabilities go

_LEAST = 2.0**-12  # probabilities nearer to 0 or 1 are not told apart in float16 near 1


def activate(kind: Kind, logits: Tensor) -> Tensor:
    """Return probabilities of logits (B, K, *S): sigmoid, softmax over K; values of restore.

    The kernels of torch for both, and for powers that are no whole numbers, compute the last few
    values of an array by other code than the rest, so that digits of a pixel depended on how a map
    was cut. Exponentials, sums and quotients of single values do not.
    """
    if kind == "restore":
        return logits
    if kind != "multiclass":
        return logits.neg().exp_().add_(1).reciprocal_()
    logits = logits.contiguous()
    powers = (logits - logits.amax(1, keepdim=True)).exp_()
    return powers.div_(_over_classes(powers, 1))


def power_mean(kind: Kind, total: Tensor, pool: Pool) -> Tensor:
    """Return the mean (K, *S) of a weighted sum of powers; ``total`` is changed in place.

    The cubic root on a CPU is that of NumPy, see ``activate``.
    """
    power = POWERS[pool]
    if power == 1:
        return total
    total.clamp_(min=0)
    if power == 3 and total.device.type == "cpu":
        values = total.numpy()
        np.cbrt(values, out=values)
    else:
        total.pow_(1 / power)
    if kind == "multiclass":
        total.div_(_over_classes(total, 0))
    return total


def _over_classes(values: Tensor, axis: int) -> Tensor:
    """Return the sum over the axis of classes, which is kept: one class after another."""
    first, *others = values.unbind(axis)
    total = first.clone()
    for other in others:
        total += other
    return total.unsqueeze(axis)


def combine(
    answers: Sequence[NDArray[Any]], weights: Sequence[float], kind: Kind, pool: Pool
) -> NDArray[np.float32]:
    """Return the mean of whole answers, as the engine takes it between members.

    Args:
        answers: (K, *S) probabilities of any floating type, or values; at least one.
        weights: One each, above 0; only their ratios count.
        kind: Of the task.
        pool: ``logit`` takes logits of the probabilities, which are held 2^-12 away from 0 and 1.

    Returns:
        (K, *S) float32.
    """
    whole = sum(weights)
    total: Tensor | None = None
    for answer, weight in zip(answers, weights, strict=True):
        values = torch.from_numpy(np.array(answer, np.float32))
        if pool == "logit":
            values = to_logits(kind, values)
        elif POWERS[pool] > 1:
            values.pow_(POWERS[pool])
        values *= weight / whole
        total = values if total is None else total.add_(values)
    if total is None:
        raise ValueError("a mean needs at least one answer")
    mean = activate(kind, total[None])[0] if pool == "logit" else power_mean(kind, total, pool)
    return np.asarray(mean.numpy(), np.float32)


def to_logits(kind: Kind, prob: Tensor) -> Tensor:
    """Return logits of probabilities (K, *S), held 2^-12 away from 0 and 1; those are changed."""
    if kind == "restore":
        return prob
    if kind == "multiclass":
        return prob.clamp_(min=_LEAST).log_()
    return _logit(prob.clamp_(_LEAST, 1 - _LEAST))


def _logit(prob: Tensor) -> Tensor:
    """Return logits of probabilities of any shape, between 0 and 1, see ``activate``."""
    return (prob / (1 - prob)).log_()


def is_calibrated(curves: Sequence[Calibration]) -> bool:
    """Whether a curve changes anything."""
    return any(not curve.is_identity for curve in curves)


def calibrate(kind: Kind, values: Tensor, curves: Sequence[Calibration], *, logits: bool) -> Tensor:
    """Return the answer of a member (K, h, w) after its curves, a new tensor.

    Args:
        kind: Of the task; what is calibrated of exclusive classes is divided by its sum.
        values: (K, h, w) probabilities, or logits where ``logits``.
        curves: One for each class.
        logits: Whether logits come and are returned.
    """
    prob = activate(kind, values[None])[0] if logits else values.clone()
    for k, curve in enumerate(curves):
        if curve.knots:
            prob[k] = _between(prob[k], curve.knots)
        elif not curve.is_identity:
            logit = _logit(prob[k].clamp(_LOW, _HIGH))
            prob[k] = activate("binary", curve.slope * logit + curve.shift)
    if kind == "multiclass":
        prob /= _over_classes(prob, 0).clamp_(min=1e-30)
    return to_logits(kind, prob) if logits else prob


def _between(prob: Tensor, knots: tuple[tuple[float, float], ...]) -> Tensor:
    """Return the values of a curve that is linear between its knots."""
    stored, calibrated = np.asarray(knots, np.float64).T
    found = np.interp(prob.cpu().numpy(), stored, calibrated)
    return torch.from_numpy(found.astype(np.float32)).to(prob.device)
