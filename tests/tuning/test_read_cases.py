"""What is read of each held-out case costs the same, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import lamina
from lamina.data.case import Case
from lamina.prediction.folder.predictions import Predictions
from lamina.result.calibration import Calibration, calibrated
from lamina.tuning.tune import _read
from lamina.volume import ArrayVolume
from tests.factories.predictions import write_predictions


def test_predictions_are_read_through_curves_that_are_set_once_for_each_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each case, all cases of the fold were listed for each of them."""
    recipe, rng = lamina.load_recipe("folder-laptop"), np.random.default_rng(0)
    answers = {id: rng.random((1, 4, 5)).astype(np.float16) for id in "abcdef"}
    masks = {id: rng.random((1, 4, 5)) < 0.5 for id in answers}
    folds = [
        Predictions.open(
            write_predictions(tmp_path / name, recipe, {id: answers[id] for id in name})
        )
        for name in ("abc", "def")
    ]
    set_on: list[Path] = []
    set_curves = Predictions.with_calibration

    def noting(self: Predictions, curves: Sequence[Calibration]) -> Predictions:
        set_on.append(self.folder)
        return set_curves(self, curves)

    monkeypatch.setattr(Predictions, "with_calibration", noting)
    curves = (Calibration(slope=0.5, shift=0.25),)
    cases = [
        (_case(id, masks[id]), folds[fold], fold)
        for fold, name in enumerate(("abc", "def"))
        for id in name
    ]
    found = list(_read(cases, recipe.task, "cases", curves))
    for (prob, target, valid, fold), id in zip(found, answers, strict=True):
        wanted = calibrated(answers[id], curves, exclusive=False).astype(np.float16)
        np.testing.assert_array_equal(prob, wanted)
        np.testing.assert_array_equal(target, masks[id])
        assert valid is None
        assert fold == int(id > "c")
    assert set_on == [tmp_path / "abc", tmp_path / "def"]


def _case(id: str, mask: np.ndarray) -> Case:
    image = ArrayVolume(np.zeros((1, 4, 5), np.uint8))
    return Case(id, id, image, ArrayVolume(mask.astype(np.uint8)))
