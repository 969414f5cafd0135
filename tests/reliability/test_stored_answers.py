"""Stored answers that were damaged or edited are never used, whatever the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.prediction.folder.predictions import Predictions
from tests.factories.commands import run_command

EARLIER = Path(__file__).parents[1] / "data" / "earlier_run"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER, tmp_path / "earlier"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, empty, Path.unlink])
def test_trust_2_no_command_uses_a_damaged_answer(
    earlier: Path, damage: Callable[[Path], None]
) -> None:
    """TRUST-2, W06: refused or left out by name, and the remedy in the message works."""
    pred, run, images = earlier / "pred", earlier / "run", earlier / "data" / "images"
    sub = earlier / "sub.csv"
    submit = ["submit", pred, "--format", "severstal", "--out", sub]
    run_command(*submit)
    before = sub.read_bytes()
    damage(Predictions.open(pred).prob_path(Predictions.open(pred).ids[0]))
    said = run_command(*submit, code=3).stderr
    assert "run the same `lamina predict` again" in said.splitlines()[0]
    scored = run_command("score", pred, earlier / "data", code=5)
    assert "run the same `lamina predict` again" in scored.stderr
    assert "7 cases are scored, 1 could not be" in scored.stderr
    assert sub.read_bytes() == before

    oof = run / "fold1" / "oof"
    damage(Predictions.open(oof).prob_path(Predictions.open(oof).ids[0]))
    words_of_run = (
        ["tune", run, "--data", earlier / "data"],
        ["report", run, "--data", earlier / "data"],
        ["ensemble", run, "--out", earlier / "both"],
    )
    for words in words_of_run:
        said = run_command(*words, code=3).stderr
        assert "run the same `lamina train`" in said.splitlines()[0]

    found = json.loads(
        run_command("predict", run, images, "--out", earlier / "new", "--json").stdout
    )
    damage(Predictions.open(earlier / "new").prob_path(Predictions.open(earlier / "new").ids[2]))
    again = run_command("predict", run, images, "--out", earlier / "new", "--json").stdout
    assert json.loads(again)["predicted"] == 1
    assert json.loads(again)["kept"] == found["predicted"] - 1
    run_command("submit", earlier / "new", "--format", "severstal", "--out", sub)
    data = earlier / "data"
    run_command("train", run / "recipe.yaml", "--data", data, "--out", run, "--workers", 0)
    run_command("tune", run, "--data", data)


def test_trust_2_an_edited_threshold_is_found(earlier: Path) -> None:
    """TRUST-2: prediction.json carries its own digest."""
    pred, run, images = earlier / "new", earlier / "run", earlier / "data" / "images"
    words = ["predict", run, images, "--out", pred]
    run_command(*words)
    header = pred / "prediction.json"
    values = json.loads(header.read_text(encoding="utf-8"))
    values["decision"]["threshold"] = 0.01
    header.write_text(json.dumps(values), encoding="utf-8")
    submit = ["submit", pred, "--format", "severstal", "--out", earlier / "sub.csv"]
    said = run_command(*submit, code=3).stderr
    assert "does not match its own digest" in said.splitlines()[0]
    assert not (earlier / "sub.csv").exists()
    run_command(*words, code=3)
    run_command(*words, "--overwrite")
    run_command(*submit)
