"""Members are calibrated before they are averaged, alike in torch and in tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lamina.prediction.tiling.calibrated import calibrate, is_calibrated
from lamina.result.calibration import IDENTITY, Calibration, calibrated
from lamina.result.search.histogram import VALUES

PLATT = Calibration(slope=0.8, shift=-1.5)
ISOTONIC = Calibration(knots=((0.0, 0.0), (0.5, 0.1), (1.0, 0.9)))


@pytest.mark.parametrize("curve", [PLATT, ISOTONIC, IDENTITY])
def test_every_stored_probability_moves_as_the_table_says(curve: Calibration) -> None:
    stored = torch.from_numpy(VALUES.astype(np.float32))[None, None]
    found = calibrate("binary", stored, (curve,), logits=False)
    np.testing.assert_allclose(found[0, 0].numpy(), curve.table(), atol=2e-6)
    table = calibrated(VALUES.astype(np.float16)[None, None], (curve,), exclusive=False)
    np.testing.assert_allclose(table[0, 0], curve.table(), atol=1e-7)
    assert is_calibrated((curve,)) == (curve is not IDENTITY)


def test_logits_come_back_as_logits() -> None:
    logits = torch.linspace(-5, 5, 21)[None, None]
    found = calibrate("multilabel", logits, (PLATT,), logits=True)
    np.testing.assert_allclose(found.numpy(), 0.8 * logits.numpy() - 1.5, atol=1e-4)


def test_exclusive_classes_still_sum_to_1() -> None:
    rng = np.random.default_rng(0)
    prob = rng.dirichlet((1, 1, 1), (4, 5)).transpose(2, 0, 1).astype(np.float16)
    curves = (IDENTITY, PLATT, ISOTONIC)
    found = calibrate("multiclass", torch.from_numpy(prob.astype(np.float32)), curves, logits=False)
    stored = calibrated(prob, curves, exclusive=True)
    np.testing.assert_allclose(found.numpy(), stored, atol=1e-5)
    np.testing.assert_allclose(stored.sum(axis=0), 1, atol=1e-6)
    plain = np.stack([curve.table()[prob[k].view(np.uint16)] for k, curve in enumerate(curves)])
    np.testing.assert_allclose(stored, plain / plain.sum(axis=0), atol=1e-6)
