"""Scores and objects from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from lamina.cli.main import app
from lamina.recipe.load import load_recipe
from lamina.result.submissions.coordinates_npz import read_coordinates
from tests.factories.predictions import write_predictions


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lamina(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, f"{words}\n{done.stdout}\n{done.stderr}\n{done.exception}"
    return done


def answer(*words: str) -> dict[str, Any]:
    return json.loads(lamina(*words, "--json").stdout)  # type: ignore[no-any-return]


@pytest.fixture
def fault() -> NDArray[np.bool_]:
    """A volume in ``truth``, and in ``pred`` an answer that lies one voxel beside it."""
    recipe = load_recipe("faults-laptop")
    mask = np.zeros((20, 16, 24), np.bool_)
    for z in range(20):
        mask[z, 2:14, z + 1] = True
    Path("truth/a").mkdir(parents=True)
    np.save("truth/a/seismicCubes_1.npy", np.zeros(mask.shape, np.float32))
    np.save("truth/a/fault_1.npy", mask.astype(np.uint8))
    moved = np.roll(mask, 1, axis=2)
    write_predictions(Path("pred"), recipe, {"a": moved[None].astype(np.float32)})
    return moved


@pytest.mark.usefixtures("fault")
def test_a_metric_may_be_named_when_scoring() -> None:
    assert answer("score", "pred", "truth")["value"] == 0
    near = "{kind: tolerant_dice, tolerance: 1, over: image}"
    found = answer("score", "pred", "truth", "--metric", near)
    assert found["value"] == 1
    assert (
        "Dice within 1 pixels per image"
        in lamina("score", "pred", "truth", "--metric", near).stdout
    )
    both = answer("score", "pred", "truth", "--by", "size", "--by", "group")
    assert (len(both["by_group"]), both["by_size"][0]["objects"] > 0) == (1, True)
    said = lamina("score", "pred", "truth", "--metric", "tolerant_dic", code=2).stderr
    assert "did you mean 'tolerant_dice'?" in said


def test_from_a_prediction_to_coordinates_and_objects(fault: NDArray[np.bool_]) -> None:
    found = answer("submit", "pred", "--format", "coordinates_npz", "--out", "s.npz")
    assert found["rows"] == 1
    assert dict(read_coordinates(Path("s.npz")))["a"].tolist() == np.argwhere(fault).tolist()
    words = ("objects", "pred", "--out", "faults", "--kind", "surface", "--spacing", "25,25,10")
    found = answer(*words)
    assert (found["objects"], found["voxels"]) == (1, int(fault.sum()))
    with Path("faults/objects.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["dip"]) == pytest.approx(np.degrees(np.arctan(10 / 25)))
    assert (Path("faults") / row["file"]).is_file()
    text = lamina("objects", "pred", "--out", "points").stdout
    assert text == "wrote 1 objects and objects.csv into points\n"


@pytest.mark.usefixtures("fault")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("objects pred --out pred", 2, "pred: is there already"),
        (
            "objects pred --out out --kind ply",
            2,
            "'ply' is not one of 'points', 'npy'",
        ),
        (
            "objects pred --out out --spacing 1,b",
            2,
            "--spacing is '1,b'; write numbers with commas",
        ),
        ("objects pred --out out --origin a,b,c", 2, "--origin is 'a,b,c'; write numbers"),
        ("objects pred --out out --down t", 2, "--down is 't'"),
        ("objects gone --out out", 3, "name a folder that `lamina predict` wrote"),
    ],
)
def test_a_mistake_costs_one_message_and_leaves_nothing(words: str, code: int, said: str) -> None:
    assert said in lamina(*words.split(), code=code).stderr
    assert not Path("out").exists()


@pytest.mark.parametrize("option", [["--figures"], ["--verify-data"], ["--index", "i.jsonl"]])
def test_a_comparison_takes_no_option_of_the_report_of_one_run(option: list[str]) -> None:
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "recipe.json").write_text("{}")
    assert "leave them out" in lamina("report", "one", "two", *option, code=2).stderr
    assert not list(Path().rglob("*.html"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["view", "nowhere"], 3, "no such folder; name a run folder of `lamina train` or"),
        (["view", "."], 3, "no recipe.json and no prediction.json in it"),
        (["view", "pred", "--truth", "nowhere"], 3, "no such folder"),
        (["view", "pred", "--port", "99999999"], 2, "--port 99999999 cannot be used"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(words: list[str], code: int, said: str) -> None:
    recipe = load_recipe("folder-laptop", ["task.names=[spot]"])
    write_predictions(Path("pred"), recipe, {"a": np.zeros((1, 8, 8), np.float32)})
    assert said in lamina(*words, "--no-browser", code=code).stderr


def test_view_prints_its_address_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("folder-laptop", ["task.names=[spot]"])
    write_predictions(Path("pred"), recipe, {"a": np.zeros((1, 8, 8), np.float32)})
    monkeypatch.setattr("uvicorn.Server.run", lambda *_: None)
    found = answer("view", "pred", "--no-browser")
    assert found["address"].startswith("http://127.0.0.1:")
    assert "/?token=" in found["address"]
