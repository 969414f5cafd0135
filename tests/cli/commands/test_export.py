"""`lamina export`: a trained model as files, and the old spelling for objects of volumes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from tests.factories.bundles import Maker


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done.output


def test_a_bundle_becomes_a_folder_that_runs_by_itself(
    tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = {"kind": "dncnn", "width": 4, "depth": 3, "residual": False}
    make.bundle(network=network).save("run")
    words = ("export", "run", "--members", "fold1", "--tile", "24x40", "--out", "edge")
    found = json.loads(said(*words, "--json").splitlines()[-1])
    assert (found["out"], found["members"], found["format"]) == ("edge", ["fold1"], "onnx")
    assert found["image_difference"] <= 1e-5
    done = subprocess.run(
        [sys.executable, "-I", "run.py", "sample/input.npy", "--out", "masks.npy"],
        cwd="edge",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "wrote masks.npy, predicted by fold1\n", done.stderr
    assert "edge: is there already" in said(*words, code=2)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("export pred --out objects", 2, "the objects of a prediction are written by `lamina"),
        (
            "export pred --kind surface --out objects",
            2,
            "are written by `lamina objects pred --kind surface --out objects`",
        ),
        ("export pred --spacing=1,1,4 --out o", 2, "`lamina objects pred --spacing=1,1,4 --out o`"),
        ("export nowhere --out edge", 4, "nowhere: no such bundle or run folder"),
        ("export pred --tile 5 --out edge", 2, "--tile is '5'; write rows and columns"),
        ("export pred --format tensorrt --out edge", 2, "'tensorrt'"),
        ("onnx run", 2, "did you mean 'export'?"),
    ],
)
def test_old_spellings_and_mistakes_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pred").mkdir()
    Path("pred/prediction.json").write_text("{}")
    output = " ".join(said(*words.split(), code=code).replace("│", " ").split())
    assert text in output
    assert [path.name for path in tmp_path.iterdir()] == ["pred"]
