"""The demo, as a new user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.train.demo import demo


@pytest.mark.slow
def test_the_quick_demo_finds_defects_that_predicting_nothing_misses(tmp_path: Path) -> None:
    found = demo("steel", tmp_path / "demo", quick=True)
    score = found["score"]
    assert score["value"] >= score["baseline_empty"]
    assert score["foreground_dice"] > 0.3  # predicting nothing: 0
    assert Path(found["submission"]).read_text().startswith("ImageId_ClassId,EncodedPixels\n")
    assert Path(found["report"]).stat().st_size < 10 * 2**20
