"""Held-out cases that are large: answered band by band, with the same bytes and score."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from tiny import tiny

from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.streaming import row_bands as bands
from lamina.training.run import train
from lamina.tuning.tune import tune

CHANGES = ("train.epochs=1", "data.count=4", "network.encoder=mobilenetv3_small_050")


def trained(folder: Path, out: Path) -> tuple[dict[str, Any], Predictions]:
    torch.set_num_threads(1)
    train(tiny(folder, *CHANGES), data=folder, out=out, folds=(0,))
    row = json.loads((out / "fold0/member.json").read_text())
    return row, Predictions.open(out / "fold0/oof")


def test_large_held_out_cases_are_answered_band_by_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, plain = trained(tmp_path, tmp_path / "whole")
    monkeypatch.setattr(bands, "LARGE", 1000)
    monkeypatch.setattr(bands, "_THICKEST", 16)
    banded, found = trained(tmp_path, tmp_path / "banded")
    assert whole["score"] == banded["score"]
    assert found.ids == plain.ids
    for id in found.ids:
        assert found.prob_path(id).suffix == ".zarr"
        assert plain.prob_path(id).suffix == ".npy"
        np.testing.assert_array_equal(found.prob(id), plain.prob(id))
        np.testing.assert_array_equal(found.stored_mask(id), plain.stored_mask(id))
    assert not (tmp_path / "banded/fold0/oof/work").exists()
    assert tune(tmp_path / "banded") == tune(tmp_path / "whole")
