"""Means of whole answers against their formulas, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lamina.prediction.tiling.averaging import (
    Kind,
    activate,
    calibrate,
    combine,
    is_calibrated,
    power_mean,
)
from lamina.recipe.recipe import Pool
from lamina.result.calibration import IDENTITY, Calibration, calibrated
from lamina.result.search.histogram import VALUES

RNG = np.random.default_rng(0)


def formula(answers: list[NDArray[np.float64]], weights: list[float], pool: Pool) -> object:
    """The mean in float64 and plain words; weights as they are given."""
    shares = np.array(weights) / sum(weights)
    if pool == "logit":
        total = sum(w * np.log(a / (1 - a)) for w, a in zip(shares, answers, strict=True))
        return 1 / (1 + np.exp(-total))
    power = {"probability": 1, "root_mean_square": 2, "cubic": 3}[pool]
    return sum(w * a**power for w, a in zip(shares, answers, strict=True)) ** (1 / power)


@pytest.mark.parametrize("pool", ["logit", "probability", "root_mean_square", "cubic"])
def test_means_follow_their_formulas(pool: Pool) -> None:
    """STEEL-24."""
    answers = [RNG.uniform(0.01, 0.99, (2, 3, 5)) for _ in range(3)]
    found = combine(answers, [2, 1, 0.5], "multilabel", pool)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, formula(answers, [2, 1, 0.5], pool), rtol=1e-5)


def test_higher_means_lean_to_the_surest() -> None:
    answers = [np.full((1, 1, 1), p) for p in (0.1, 0.8)]
    pools: list[Pool] = ["probability", "root_mean_square", "cubic"]
    found = [float(combine(answers, [1, 1], "binary", pool).squeeze()) for pool in pools]
    assert found == pytest.approx([0.45, 0.5701, 0.6354], abs=1e-4)


@pytest.mark.parametrize("pool", ["logit", "probability", "root_mean_square", "cubic"])
def test_exclusive_classes_sum_to_one(pool: Pool) -> None:
    raw = RNG.uniform(0.01, 1, (2, 4, 3, 3))
    answers = list(raw / raw.sum(1, keepdims=True))
    found = combine(answers, [3, 1], "multiclass", pool)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)
    np.testing.assert_array_equal(
        combine([answers[0]], [1], "multiclass", "probability"), answers[0].astype(np.float32)
    )


def test_answers_of_0_and_1_have_a_logit() -> None:
    sure = [np.array([[0.0, 1.0, 0.0]], np.float16), np.array([[0.0, 1.0, 1.0]], np.float16)]
    found = combine(sure, [1, 1], "binary", "logit")
    np.testing.assert_allclose(found, [[2**-12, 1 - 2**-12, 0.5]], rtol=1e-4)


def test_the_answers_are_not_changed() -> None:
    answers = [RNG.random((1, 2, 2), np.float32) for _ in range(2)]
    before = [answer.copy() for answer in answers]
    combine(answers, [1, 2], "binary", "cubic")
    np.testing.assert_array_equal(answers, before)


def test_a_mean_is_a_running_mean_and_a_blend_a_weighted_sum() -> None:
    """SIIM-27: the running mean of 15 checkpoints; SIIM-28: the sum by weights that add up to 1."""
    answers = [RNG.uniform(0, 1, (1, 4, 6)) for _ in range(15)]
    running = np.zeros((1, 4, 6))
    for number, answer in enumerate(answers, start=1):
        running += (answer - running) / number
    found = combine(answers, [1.0] * 15, "binary", "probability")
    np.testing.assert_allclose(found, running, rtol=1e-5)
    for weights in ([0.4, 0.2, 0.2, 0.2], [0.2, 0.15, 0.4, 0.25]):
        blend = sum(w * a for w, a in zip(weights, answers, strict=False))
        found = combine(answers[:4], weights, "binary", "probability")
        np.testing.assert_allclose(found, blend, rtol=1e-5)


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


@pytest.mark.parametrize("kind", ["binary", "multiclass", "restore"])
def test_probabilities_follow_their_formulas(kind: Kind) -> None:
    logits = torch.from_numpy(RNG.normal(0, 20, (2, 3, 5, 7))).float()
    logits[0, 0, 0, 0], logits[0, 1, 0, 0] = 300, -300
    wanted = {
        "binary": torch.special.expit(logits.double()),
        "multiclass": logits.double().softmax(1),
        "restore": logits.double(),
    }[kind]
    kept = logits.clone()
    torch.testing.assert_close(activate(kind, logits).double(), wanted, atol=3e-7, rtol=3e-7)
    torch.testing.assert_close(logits, kept, atol=0, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_probability_does_not_depend_on_how_the_map_is_cut(
    kind: Kind, layout: torch.memory_format
) -> None:
    logits = torch.from_numpy(RNG.normal(0, 4, (2, 3, 61, 47))).float()
    whole = activate(kind, logits.contiguous(memory_format=layout))
    for rows in (1, 3, 7, 16, 33):
        for first in range(0, 61, rows):
            band = logits[:, :, first : first + rows].contiguous(memory_format=layout)
            assert torch.equal(activate(kind, band), whole[:, :, first : first + rows])


@pytest.mark.parametrize("pool", ["root_mean_square", "cubic"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_mean_does_not_depend_on_how_the_map_is_cut(kind: Kind, pool: Pool) -> None:
    total = torch.from_numpy(RNG.uniform(0, 1, (5, 61, 47))).float()
    whole = power_mean(kind, total.clone(), pool)
    for rows in (1, 3, 7, 16, 33):
        for first in range(0, 61, rows):
            band = total[:, first : first + rows].clone()
            assert torch.equal(power_mean(kind, band, pool), whole[:, first : first + rows])


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_calibrated_probability_does_not_depend_on_how_the_map_is_cut(kind: Kind) -> None:
    prob = torch.from_numpy(RNG.uniform(0, 1, (2, 61, 47))).float()
    curves = [Calibration(slope=1.3, shift=-0.4), Calibration(slope=0.6, shift=0.2)]
    whole = calibrate(kind, prob, curves, logits=False)
    for rows in (1, 3, 7, 16, 33):
        for first in range(0, 61, rows):
            band = prob[:, first : first + rows].clone()
            found = calibrate(kind, band, curves, logits=False)
            assert torch.equal(found, whole[:, first : first + rows])
