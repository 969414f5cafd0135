"""The demos, as a new user runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.demo.jobs import JOBS
from lamina.demo.run import demo
from lamina.errors import RecipeError


@pytest.mark.slow
def test_the_quick_demo_finds_defects_that_predicting_nothing_misses(tmp_path: Path) -> None:
    found = demo("steel", tmp_path / "demo", quick=True)
    score = found.score
    assert score.value > score.baseline_empty
    assert score.foreground_dice > 0.4  # predicting nothing: 0
    assert Path(found.submission).read_text().startswith("ImageId_ClassId,EncodedPixels\n")
    assert Path(found.report).stat().st_size < 10 * 2**20


@pytest.mark.slow
def test_the_triplet_is_no_worse_than_a_single_threshold_on_unseen_xrays(tmp_path: Path) -> None:
    found = demo("xray", tmp_path / "demo")
    assert found.decisions["triplet"] >= found.decisions["threshold"]
    assert Path(found.submission).read_text().startswith("ImageId,EncodedPixels\n")


def test_a_job_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"there are: {', '.join(JOBS)}"):
        demo("bread", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_denoise_demo_restores_unseen_slices_better_than_they_came(tmp_path: Path) -> None:
    found = demo("denoise", tmp_path / "demo", quick=True)
    assert found.score.value > found.score.baseline_input
    assert "PSNR of unseen slices" in found.summary
    with np.load(found.submission) as archive:
        assert len(archive.files) == 12


@pytest.mark.slow
def test_the_quick_ink_demo_finds_ink_on_a_fragment_it_has_not_seen(tmp_path: Path) -> None:
    found = demo("ink", tmp_path / "demo", quick=True)
    assert found.score.value > 0.4  # predicting nothing: 0, everything: about 0.24
    assert found.without == {}
    assert Path(found.submission).read_text().startswith("Id,Predicted\n4,")


@pytest.mark.slow
def test_alignment_is_worth_something_on_unseen_fragments(tmp_path: Path) -> None:
    """INK-28: it was worth 0.03 to 0.05."""
    found = demo("ink", tmp_path / "demo")
    (plain,) = found.without.values()
    assert found.score.value > plain
