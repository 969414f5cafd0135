"""Squared error by hand."""

from __future__ import annotations

import pytest
import torch

from lamina.model.losses.mse import Mse


def test_mean_and_sum_by_hand() -> None:
    answer = torch.tensor([1.0, 2.0, 5.0]).view(1, 1, 1, 3)
    target = torch.tensor([0.0, 4.0, 5.0]).view(1, 1, 1, 3)
    assert Mse()(answer, target, exclusive=False).item() == pytest.approx(5 / 3)
    assert Mse(reduction="sum")(answer, target, exclusive=False).item() == 5
    valid = torch.tensor([1, 0, 1]).view(1, 1, 1, 3)
    assert Mse()(answer, target, valid, exclusive=False).item() == 0.5
    assert Mse(reduction="sum")(answer, target, valid, exclusive=False).item() == 1
