"""Held-out cases that are large: answered band by band, with the same answers and score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.streaming import row_bands as bands
from lamina.training.run import train
from lamina.tuning.tune import tune
from tests.factories.training import tiny

CHANGES = ("train.epochs=1", "data.count=4", "network.encoder=test_efficientnet")


def trained(folder: Path, out: Path) -> tuple[dict[str, Any], Predictions]:
    train(tiny(folder, *CHANGES), data=folder, out=out, folds=(0,))
    row = json.loads((out / "fold0/member.json").read_text())
    return row, Predictions.open(out / "fold0/oof")


def test_the_score_of_a_fold_is_said_with_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tiny(tmp_path, *CHANGES), data=tmp_path, out=tmp_path / "run", folds=(0,))
    said = capsys.readouterr().err
    (line,) = [splitline for splitline in said.splitlines() if "out of fold" in splitline]
    assert line.startswith("fold 0 out of fold  ")
    assert " the all-empty baseline " in line
    assert line.endswith(" cases)")
    assert line in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_large_held_out_cases_are_answered_band_by_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, plain = trained(tmp_path, tmp_path / "whole")
    monkeypatch.setattr(bands, "LARGE", 1000)
    monkeypatch.setattr(bands, "_THICKEST", 16)
    banded, found = trained(tmp_path, tmp_path / "banded")
    assert banded["score"] == pytest.approx(whole["score"], abs=1e-3)  # a pixel at the threshold
    assert found.ids == plain.ids
    for id in found.ids:
        assert found.prob_path(id).suffix == ".zarr"
        assert plain.prob_path(id).suffix == ".npy"
        # Both were rounded from float32 answers that differ by rounding: one float16 apart.
        np.testing.assert_allclose(found.prob(id), plain.prob(id), atol=2**-11, rtol=0)
        assert (found.stored_mask(id) != plain.stored_mask(id)).mean() < 1e-3
    assert not (tmp_path / "banded/fold0/oof/work").exists()
    scores = [tune(tmp_path / name).scores for name in ("banded", "whole")]
    assert scores[0]["tuned"] == pytest.approx(scores[1]["tuned"], abs=1e-3)
