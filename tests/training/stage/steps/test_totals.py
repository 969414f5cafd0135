"""What steps came to, read at once, equals what reading every step would say."""

from __future__ import annotations

import math

import pytest
import torch

from lamina.training.saving.state import Position
from lamina.training.stage.steps.totals import StepTotals


def test_sums_and_rows_of_steps_left_out_are_those_of_a_loop_on_the_host() -> None:
    totals, position = StepTotals(), Position()
    finite = [True, False, False, True, False, False, False, True]
    wanted = 0.0
    for number, good in enumerate(finite):
        loss = torch.tensor(0.5 * number if good else math.nan)
        norm = torch.tensor(1.0 if good else math.inf)
        parts = {"loss": loss, "bce": loss / 2}
        totals.add(parts, norm, torch.isfinite(loss) & torch.isfinite(norm), samples=number + 1)
        wanted += 0.5 * number * (number + 1) if good else 0
    read = totals.read(position)
    samples = sum(number + 1 for number, good in enumerate(finite) if good)
    assert position.sums == pytest.approx({"loss": wanted, "bce": wanted / 2, "samples": samples})
    assert (position.skipped, read.worst) == (5, 3)
    assert read.loss == pytest.approx(wanted / samples)
    assert read.why == "loss nan, gradient norm inf"


def test_a_row_goes_on_from_one_look_to_the_next() -> None:
    totals, position = StepTotals(), Position()
    bad = torch.tensor(math.nan)
    for worst in (2, 4):
        for _ in range(2):
            totals.add({"loss": bad}, bad, torch.tensor(False), samples=1)
        read = totals.read(position)
        assert (read.worst, position.skipped) == (worst, worst)
        assert math.isnan(read.loss)
    assert position.sums == {}


def test_nothing_is_read_where_there_was_no_step() -> None:
    position = Position()
    assert StepTotals().read(position).worst == 0
    assert position == Position()
