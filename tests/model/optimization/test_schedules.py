"""Factors by hand, against published formulas, and against torch's schedulers."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import optim

from lamina.model.optimization.schedules import (
    AnySchedule,
    Constant,
    Cosine,
    CosineRestarts,
    FlatThenAnneal,
    Plateau,
    Poly,
    Schedule,
    WarmupCosine,
)

ALL = [
    Constant(),
    Plateau(),
    Cosine(floor=0.01),
    Cosine(period=3, after="swing"),
    CosineRestarts(period=2.5, growth=1.5, floor=0.1),
    WarmupCosine(stretch=1.5),
    FlatThenAnneal(),
    FlatThenAnneal(form="logistic", flat=3),
    Poly(),
]


def sgd(lr: float) -> optim.SGD:
    return optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@pytest.mark.parametrize("eta_min", [1e-7, 1e-8])
def test_cosine_agrees_with_torch_and_swings(eta_min: float) -> None:
    """SIIM-15, SIIM-16: T_max 8 and never stopped; 1e-7 in stages, 1e-8 in the second stage.

    The floor is a share of the rate: eta_min / lr.
    """
    optimizer = sgd(1e-5)
    reference = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=eta_min)
    mine = Cosine(period=8, floor=eta_min / 1e-5, after="swing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for epoch in range(50):
            lr = 1e-5 * mine.factor(epoch, 50)
            formula = eta_min + (1e-5 - eta_min) * (1 + math.cos(math.pi * epoch / 8)) / 2
            assert lr == pytest.approx(formula, rel=1e-15)
            assert lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-13)
            assert lr == pytest.approx(1e-5 * mine.factor(epoch + 16, 50), rel=1e-12)
            reference.step()


@pytest.mark.parametrize(("period", "growth"), [(1, 2), (3, 2), (8, 1), (5, 3)])
def test_cosine_restarts_agree_with_torch_for_every_epoch(period: int, growth: int) -> None:
    """SIIM-15: the text also names warm restarts; its settings have T_0 1 and T_mult 2."""
    optimizer = sgd(1e-5)
    reference = optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=period, T_mult=growth, eta_min=1e-7
    )
    mine = CosineRestarts(period=period, growth=growth, floor=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for epoch in range(50):
            assert 1e-5 * mine.factor(epoch, 50) == pytest.approx(optimizer.param_groups[0]["lr"])
            reference.step()


def test_cosine_restarts_begin_at_the_sums_of_their_lengths() -> None:
    mine = CosineRestarts(period=4, growth=1.5)
    tops = [at for at in range(60) if mine.factor(at, 60) == 1]
    assert tops == [0, 4, 10, 19]  # 4, 6, 9; the next, of 13.5, ends between two epochs
    assert mine.factor(8, 60) == pytest.approx(math.cos(math.pi / 3) ** 2)  # 4 of 6


def test_cosine_holds_at_its_floor_and_covers_the_stage_by_default() -> None:
    mine = Cosine(floor=0.1)
    assert [mine.factor(e, 4) for e in (0, 2, 4, 6)] == pytest.approx([1, 0.55, 0.1, 0.1])


def test_the_published_warm_up_and_cosine() -> None:
    """INK-20: 0.1 to 1 over the first tenth, 0.01 + 0.99 (1 + cos(pi u)) / 2, and up again."""
    mine = WarmupCosine(start=0.1, floor=0.01, after="swing")
    total = 205
    rise = int(0.1 * total)
    for step in range(260):
        if step < rise:
            expected = 0.1 + 0.9 * step / rise
        else:
            u = (step - rise) / (total - rise)
            expected = 0.01 + 0.99 * (1 + math.cos(math.pi * u)) / 2
        assert mine.factor(step, total) == pytest.approx(expected)
    assert mine.factor(rise, total) == 1
    assert mine.factor(250, total) > mine.factor(205, total)


def test_the_stretched_cosine_ends_at_about_a_quarter() -> None:
    """NOISE-12."""
    per_epoch, epochs = 40, 100
    mine = WarmupCosine(warmup_share=0.01, start=0, stretch=1.5)
    for step in range(0, per_epoch * epochs, 7):
        if step < per_epoch:
            expected = step / per_epoch
        else:
            u = (step - per_epoch) / (1.5 * per_epoch * epochs - per_epoch)
            expected = (1 + math.cos(math.pi * u)) / 2
        assert mine.factor(step, per_epoch * epochs) == pytest.approx(expected)
    assert mine.factor(per_epoch * epochs, per_epoch * epochs) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("per_epoch", [1, 29, 113])
def test_the_stretched_schedule_is_torchs_with_the_published_factor(per_epoch: int) -> None:
    """NOISE-12: up along a line for one epoch of 100, then a cosine over 1.5 x all steps."""
    last, end = per_epoch * 100, 1.5 * per_epoch * 100

    def published(step: int) -> float:
        if step < per_epoch:
            return step / per_epoch
        return 0.5 * (1 + math.cos(math.pi * (step - per_epoch) / (end - per_epoch)))

    optimizer = sgd(3e-4)
    reference = optim.lr_scheduler.LambdaLR(optimizer, published)
    mine = WarmupCosine(warmup_share=0.01, start=0, stretch=1.5)
    found, expected = [], []
    for step in range(last):
        found.append(3e-4 * mine.factor(step, last))
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert found == pytest.approx(expected, rel=1e-12)
    assert mine.factor(last, last) == pytest.approx(0.253, abs=1e-3)  # about 0.25, never 0


def test_a_share_of_one_epoch_is_one_epoch_of_whole_steps() -> None:
    for epochs in (20, 25, 40, 50, 100, 200):
        for per_epoch in range(1, 3000, 7):
            rises = WarmupCosine(warmup_share=1 / epochs, start=0)
            assert rises.factor(per_epoch, per_epoch * epochs) == 1
            assert rises.factor(per_epoch - 1, per_epoch * epochs) < 1


def test_the_published_logistic_fall() -> None:
    """STEEL-15."""
    n = 251  # the pipeline counts one epoch more than it trains
    mine = FlatThenAnneal(flat=30, form="logistic", stretch=n / 250)
    for epoch in range(250):
        x, length = epoch - 30, n - 30
        expected = 1 / (1 + math.exp((x - 0.5 * length) / (0.1 * length))) if x >= 0 else 1
        assert mine.factor(epoch, 250) == pytest.approx(expected)


def test_flat_then_cosine_by_hand() -> None:
    mine = FlatThenAnneal(floor=0.2)
    found = [mine.factor(e, 8) for e in (0, 3, 4, 6, 8, 9)]
    assert found == pytest.approx([1, 1, 1, 0.6, 0.2, 0.2])
    assert FlatThenAnneal(flat=10).factor(9, 8) == 1


def test_warm_up_may_be_given_in_units() -> None:
    assert WarmupCosine(warmup=4, start=0).factor(1, 100) == 0.25
    assert WarmupCosine(warmup=0).factor(0, 100) == 1


@given(
    st.lists(st.floats(0, 1, width=16), max_size=30),
    st.integers(0, 4),
    st.sampled_from([0.0, 1e-7, 0.05]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_plateau_agrees_with_torch(
    values: list[float], patience: int, threshold: float, higher: bool
) -> None:
    optimizer = sgd(1.0)
    reference = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="max" if higher else "min",
        factor=0.5,
        patience=patience,
        threshold=threshold,
        min_lr=0.01,
        eps=0,
    )
    mine = Plateau(drop=0.5, patience=patience, threshold=threshold, floor=0.01)
    assert mine.factor(0, 30, (), higher) == 1
    for n, value in enumerate(values, start=1):
        reference.step(value)
        found = mine.factor(n, 30, values[:n], higher)
        assert found == pytest.approx(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("seed", range(4))
def test_the_plateau_agrees_with_torch_step_for_step(seed: int) -> None:
    """SIIM-15: mode max, factor 0.1, patience 2, threshold 1e-7, least rate 1e-7 of 1e-4."""
    optimizer = sgd(1e-4)
    reference = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.1, patience=2, threshold=1e-7, min_lr=1e-7
    )
    mine = Plateau(drop=0.1, patience=2, threshold=1e-7, floor=1e-7 / 1e-4)
    chance = torch.Generator().manual_seed(seed)
    climb = 0.8 + 0.03 * torch.arange(50).div(10).floor() * (seed > 1)
    scores = (climb + 0.02 * torch.rand(50, generator=chance)).double()
    scores[7:9] = scores[6] * (1 + 5e-8)  # better, but by less than the threshold
    rates = []
    for epoch in range(50):
        rates.append(1e-4 * mine.factor(epoch, 50, scores[:epoch].tolist(), True))
        assert rates[-1] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-13)
        reference.step(float(scores[epoch]))
    assert rates[-1] == pytest.approx(1e-7, rel=1e-13)


def test_a_threshold_of_the_loss_is_that_of_torch_where_the_score_is_one_minus_it() -> None:
    """FAULT-10: better by 1e-4 of a loss of about 0.06 is better, and 6e-6 of the score."""
    optimizer = sgd(1e-3)
    reference = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min", factor=0.5, patience=1, threshold=1e-4
    )
    of_loss = Plateau(drop=0.5, patience=1, threshold_of="loss")
    of_score = Plateau(drop=0.5, patience=1)
    losses = [0.06 * 0.9995**n for n in range(12)]  # better by 3e-5 each time
    losses += [0.06 * 0.9995**11 * (1 - 5e-5) ** n for n in range(1, 8)]  # by too little
    for n in range(1, len(losses) + 1):
        reference.step(losses[n - 1])
        history = [1 - loss for loss in losses[:n]]
        assert 1e-3 * of_loss.factor(n, 99, history) == pytest.approx(
            optimizer.param_groups[0]["lr"]
        )
    assert of_loss.factor(12, 99, [1 - loss for loss in losses[:12]]) == 1
    assert of_score.factor(12, 99, [1 - loss for loss in losses[:12]]) < 1
    assert of_loss.factor(len(losses), 99, history) < 1
    assert of_loss.factor(12, 99, losses[:12], False) == 1  # a monitor that is a loss itself


def test_plateau_counts_the_size_of_negative_values() -> None:
    mine = Plateau(drop=0.5, patience=0, threshold=0.1)
    assert mine.factor(2, 9, [-10.0, -9.5], True) == 0.5  # 5 % is not 10 %
    assert mine.factor(2, 9, [-10.0, -8.9], True) == 1


@pytest.mark.parametrize("schedule", ALL, ids=str)
@given(st.integers(1, 200), st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_every_factor_lies_between_zero_and_one(
    schedule: Schedule, total: int, position: int
) -> None:
    assert 0 <= schedule.factor(position, total, [0.1] * min(position, 9), True) <= 1


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_a_schedule_survives_the_way_through_json(schedule: Schedule) -> None:
    adapter = TypeAdapter(AnySchedule)
    assert adapter.validate_json(adapter.dump_json(schedule)) == schedule


@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_poly_agrees_with_torch_and_ends_at_zero(power: float) -> None:
    optimizer = sgd(0.01)
    reference = optim.lr_scheduler.PolynomialLR(optimizer, total_iters=20, power=power)
    mine = Poly(power=power)
    for epoch in range(20):
        assert 0.01 * mine.factor(epoch, 20) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert mine.factor(20, 20) == mine.factor(25, 20) == 0
    assert mine.factor(0, 20) == 1
