"""An image is decided once for all files that are made of it, and again when anything changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.errors import DataError
from lamina.prediction.folder.predictions import Predictions
from lamina.result.decisions import Threshold
from tests.factories.bundles import Maker
from tests.factories.predictions import write_predictions


def test_an_image_is_decided_once_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Maker().recipe(task={"kind": "binary", "names": ["a"]}, decide={"kind": "threshold"})
    low, high = (np.full((1, 4, 5), value, np.float32) for value in (0.25, 0.75))
    folder = write_predictions(tmp_path / "pred", recipe, {"x": low, "y": high})
    calls: list[Any] = []
    decide = Threshold.__call__
    monkeypatch.setattr(Threshold, "__call__", lambda s, p: calls.append(s) or decide(s, p))
    found = Predictions.open(folder)
    assert not found.mask("x").any()
    assert not next(masks for _, _, masks in found.decided("x")).any()
    assert len(calls) == 1
    assert found.mask("y").all()
    assert found.with_decision(Threshold(threshold=0.1)).mask("x").all()
    found.add("x", high)
    assert found.mask("x").all()
    assert not found.mask("x").flags.writeable
    found.prob_path("x").write_bytes(b"damaged")
    with pytest.raises(DataError, match="does not match its digest"):
        Predictions.open(folder).mask("x")
