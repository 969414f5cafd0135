"""What a member answers, calibrated before it joins the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lamina.prediction.tiling.averaging import Kind, activate, to_logits
from lamina.result.calibration import Calibration

_LOW, _HIGH = 2.0**-25, 1 - 2.0**-12  # as far as logits of stored probabilities go


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
            logit = prob[k].clamp(_LOW, _HIGH).logit()
            prob[k] = torch.sigmoid(curve.slope * logit + curve.shift)
    if kind == "multiclass":
        prob /= prob.sum(0, keepdim=True).clamp_(min=1e-30)
    return to_logits(kind, prob) if logits else prob


def _between(prob: Tensor, knots: tuple[tuple[float, float], ...]) -> Tensor:
    """Return the values of a curve that is linear between its knots."""
    stored, calibrated = np.asarray(knots, np.float64).T
    found = np.interp(prob.cpu().numpy(), stored, calibrated)
    return torch.from_numpy(found.astype(np.float32)).to(prob.device)
