"""What the trial says of memory and steps, against a whole training of the same recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamina.errors import LaminaError
from lamina.plan.probe import _full_batches, probe
from lamina.plan.run import plan
from tests.factories.discs import discs
from tests.factories.epochs import stage_data

_TRAIN = """
import resource, sys
from lamina.recipe.load import load_recipe
from lamina.training.run import train
train(load_recipe(sys.argv[1]), data=sys.argv[2], out=sys.argv[3], folds=[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_memory_and_steps_are_as_said(tmp_path: Path) -> None:
    """Memory within 15 %; how long the steps take is left to benchmarks/evidence."""
    discs(tmp_path / "data", 24, size=256)
    found = plan(tmp_path / "data", minutes=0.4, out=tmp_path / "r.yaml")
    assert found.fit.schedule.folds == 1
    words = [str(tmp_path / "r.yaml"), str(tmp_path / "data"), str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN, *words],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    lines = (tmp_path / "run/fold0/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["step"] == found.fit.schedule.steps
    took = int(done.stdout.split()[-1])
    assert found.fit.probed.memory == pytest.approx(took, rel=0.15)


def test_the_reason_of_a_recipe_that_is_not_valid_is_told(tmp_path: Path) -> None:
    discs(tmp_path / "data", 4, size=64)
    values = {"name": "a", "data": {"kind": "folder"}, "network": {"kind": "unet"}, "loss": []}
    with pytest.raises(LaminaError, match=r"not valid: .*at least 1 item"):
        probe(values, tmp_path / "data", "cpu")


def test_batches_are_full_though_the_cases_of_an_epoch_do_not_fill_one(tmp_path: Path) -> None:
    """Three cases and batches of eight would otherwise be taken to cost what three samples do."""
    data = stage_data(tmp_path)
    stage = data.stage.model_copy(update={"batch": 2 * len(data.epoch(0)) + 1})
    data.stage = stage
    found = _full_batches(data)
    first, second = next(found), next(found)
    assert len(first.image) == len(second.image) == stage.batch
    wanted = [data.epoch(number)[0].image for number in (0, 1, 2)]
    each = (stage.batch - 1) // 2
    for image, want in zip(first.image[::each], wanted, strict=True):
        assert np.array_equal(image.numpy(), want)
