"""Several runs from the command line: joined, tuned, labelling, and trained on the labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lamina.cli.main import app
from lamina.synthetic.steel import write_severstal

RECIPE = """
name: mine
precision: float32
task: {kind: multilabel, names: [a, b, c, d]}
data: {kind: csv_rle}
split: {kind: folds, count: 2}
frame: {size: [64, 64], channels: 1, normalise: {kind: fixed, mean: 0.4, std: 0.2}}
network: {kind: unet, encoder: test_resnet, weights: none,
          decoder: {encoder_depth: 3, decoder_channels: [8, 8, 8]}}
loss: [{kind: bce}, {kind: dice}]
train: {epochs: 1, batch: 4}
predict: {overlap: 0.0, window: constant}
submit: {kind: severstal}
"""


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lamina(line: str, *, code: int = 0) -> Result:
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == code, done.stderr
    return done


def answer(line: str) -> dict[str, Any]:
    return json.loads(lamina(f"{line} --json").stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_from_two_runs_to_a_third_that_learnt_from_their_labels() -> None:
    write_severstal(Path("tiles"), count=4, seed=13, shape=(64, 96))
    write_severstal(Path("new"), count=2, seed=13, shape=(64, 96), first=50)
    Path("mine.yaml").write_text(RECIPE, encoding="utf-8")
    answer("train mine.yaml --data tiles --out one --workers 0")
    fpn = RECIPE.replace("kind: unet", "kind: fpn").replace(", decoder_channels: [8, 8, 8]}", "}")
    Path("fpn.yaml").write_text(fpn.replace("encoder_depth: 3", "decoder_dropout: 0.1"))
    answer("train fpn.yaml --data tiles --out two --workers 0")
    both = answer("ensemble one two --weights 2,1 --mean root_mean_square --out both")
    assert (len(both["members"]), both["out_of_fold"], both["weights"]) == (4, 4, [2.0, 1.0])
    assert "scores" in answer("tune both")
    assert answer("predict both tiles --out pred")["known"] == {"held_out": 4}
    assert answer("submit pred --out s.csv")["rows"] == 16

    made = answer("pseudo both --data new --out made --unsure 1e9 --unsure-empty 1")
    assert {name: one["kept"] for name, one in made["sets"].items()} == {
        "all": 2,
        "fold0": 2,
        "fold1": 2,
    }
    assert made["sets"]["fold1"]["members"] == ["one-fold1", "two-fold1"]
    mix = "-s stages.main.pseudo.share=0.5"
    answer(f"train mine.yaml --data tiles --out three --workers 0 --pseudo made {mix}")
    assert answer("predict three new --out pred3")["known"] == {"pseudo": 2}
    other = lamina(
        f"train mine.yaml --data tiles --out four --pseudo made {mix} -s split.seed=3", code=3
    )
    assert "had trained on" in other.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("ensemble gone --out both", 4, "gone: no such bundle"),
        ("ensemble gone --weights x --out both", 2, "--weights is 'x'; write numbers with commas"),
        ("ensemble gone --mean harmonic --out both", 2, "'--mean': 'harmonic' is not one of"),
        ("pseudo gone --data new --out made", 4, "gone: no such bundle"),
        ("pseudo gone --data new --out made --sure 1.5", 2, "--sure is 1.5; input should be less"),
        ("pseudo gone --data new --out made --min-area 0", 2, "--min-area is 0"),
        ("pseudo gone --out made", 2, "Missing option '--data'"),
    ],
)
def test_a_mistake_is_one_message_and_an_exit_code(line: str, code: int, said: str) -> None:
    done = lamina(line, code=code)
    assert said in done.stderr
    assert list(Path().iterdir()) == []
