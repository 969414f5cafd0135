"""What ``lamina.load`` takes and what it says of itself."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamina

EARLIER = Path(__file__).parents[1] / "data" / "earlier_run" / "run"


def test_a_run_of_an_earlier_version_answers() -> None:
    model = lamina.load(str(EARLIER), device="cpu", precision="float32")
    assert (model.device, model.precision, model.channels) == ("cpu", "float32", 1)
    assert model.expects == "1 channel, axes yx"
    assert len(model.digest) == 1
    assert model.task.kind in ("binary", "multilabel")
    assert model(np.zeros((48, 64), np.uint8)).masks.shape == (len(model.names), 48, 64)


def test_several_answer_together(make: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (32, 40), np.uint8)
    answers = []
    for seed in (0, 5):
        make.bundle(seed=seed).save(tmp_path / str(seed))
        answers.append(lamina.load(tmp_path / str(seed), device="cpu")(images).probabilities)
    both = lamina.load([tmp_path / "0", tmp_path / "5"], device="cpu")
    assert both.members == ("0:fold0", "0:fold1", "1:fold0", "1:fold1")
    np.testing.assert_allclose(both(images).probabilities, np.mean(answers, axis=0), atol=1e-5)


def test_nothing_is_not_loaded() -> None:
    with pytest.raises(lamina.RecipeError, match="source is empty"):
        lamina.load([])


def test_members_that_answer_are_compared_with_their_digest(make: Any, tmp_path: Path) -> None:
    make.bundle().save(tmp_path)
    weights = tmp_path / "members" / "fold1.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(lamina.BundleError, match=r"fold1\.safetensors: does not match its digest"):
        lamina.load(tmp_path, device="cpu")
    assert lamina.load(tmp_path, device="cpu", members=["fold0"]).members == ("fold0",)


def test_an_image_is_answered_without_what_writes_stores(tmp_path: Path) -> None:
    code = (
        "import sys, numpy, lamina\n"
        f"model = lamina.load({str(EARLIER)!r}, device='cpu')\n"
        "model(numpy.zeros((48, 64), numpy.uint8)).masks\n"
        "print({'zarr', 'matplotlib', 'pandas', 'scipy.ndimage', 'ruamel.yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_garbage_is_collected_afterwards_as_before(tmp_path: Path) -> None:
    before = gc.get_threshold()
    lamina.load(EARLIER, device="cpu")
    assert gc.get_threshold() == before
    with pytest.raises(lamina.BundleError):
        lamina.load(tmp_path / "nothing")
    assert gc.get_threshold() == before
