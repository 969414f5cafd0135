"""The program as a person uses it: help, mistakes, and the whole way for three kinds of data."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner, Result

from lamina.cli.main import app
from lamina.synthetic.steel import strip, write_severstal

TAIL = """
seed: 3
precision: float32
network:
  {kind: unet, encoder: test_resnet, decoder: {encoder_depth: 3, decoder_channels: [16, 8, 8]}}
loss: [{kind: bce}]
train: {epochs: 1, batch: 4, optimizer: {kind: adamw, lr: 0.003}}
predict: {overlap: 0.0, window: constant}
"""
STEEL = """
name: tiny-steel
task: {kind: multilabel}
data: {kind: csv_rle}
split: {kind: folds, count: 2}
frame: {size: [64, 64], channels: 1, normalise: {kind: fixed, mean: 0.4, std: 0.2}}
submit: {kind: severstal}
"""
FOLDER = """
name: tiny-folder
task: {kind: binary}
data: {kind: folder, labels: {0: 0, 255: 1}}
split: {kind: folds, count: 2}
frame: {size: [64, 64], channels: 1}
"""
VOLUME = """
name: tiny-volume
task: {kind: binary, names: [defect]}
data: {kind: volume_pairs, labels: {0: 0, 255: 1}}
split: {kind: sections, axis: z, train: [[0, 4]], validate: [[5, 7]]}
frame: {size: [64, 64], channels: 1, slices: {axes: z}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lamina(line: str, *, code: int = 0) -> Result:
    """Run one command line; anything but ``code`` is a failure."""
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == code, f"lamina {line}\n{done.stdout}\n{done.stderr}\n{done.exception}"
    return done


def answer(line: str, *, code: int = 0) -> dict[str, Any]:
    """Return the one object that ``--json`` prints."""
    (only,) = lamina(f"{line} --json", code=code).stdout.splitlines()
    found = json.loads(only)
    assert isinstance(found, dict)
    return found


def picture(index: int) -> tuple[Any, Any]:
    """Return a grey image (64, 96) and the union of its masks as 0 and 255."""
    image, masks = strip(index, seed=2, shape=(64, 96))
    return image, masks.any(0).astype(np.uint8) * 255


def folder_data(root: Path, count: int) -> None:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for index in range(count):
        for name, values in zip(("images", "masks"), picture(index), strict=True):
            cv2.imwrite(str(root / name / f"{index}.png"), values)


def test_every_help_has_an_example_and_imports_nothing_heavy() -> None:
    code = """
import json, sys
from typer.testing import CliRunner
from lamina.cli.main import app
verbs = [one.name or one.callback.__name__ for one in app.registered_commands]
helps = {verb: CliRunner().invoke(app, [verb, "--help"]).stdout for verb in verbs}
heavy = {"torch", "numpy", "cv2", "matplotlib"} & set(sys.modules)
print(json.dumps({"helps": helps, "heavy": sorted(heavy)}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    way = {"new", "check", "train", "tune", "predict", "score", "submit", "report", "demo"}
    assert way <= found["helps"].keys()
    for verb, text in found["helps"].items():
        assert f"Example: lamina {verb}" in text
        assert "--json" in text


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("", 2, "Usage:"),
        ("trian x", 2, "No such command 'trian'; did you mean 'train'?"),
        ("check steel -s epochs=3", 2, "did you mean 'train.epochs'?"),
        ("check steel -s train.epoch=3", 2, "did you mean 'epochs'?"),
        ("check steel --resolvd", 2, "No such option"),
        ("train steel-laptop", 2, "Missing option '--data'"),
        ("train steel-laptop --data . --out run --workers -1", 2, "--workers"),
        ("predict run images --out pred --batch 0", 2, "--batch"),
        ("new steel-lapto", 2, "did you mean 'steel-laptop'?"),
        ("check gone.yaml", 2, "gone.yaml: no such file"),
        ("check steel -s trian.epochs=3", 2, "did you mean 'train'?"),
        ("check steel -s loss.dice.kind=dicee", 2, "did you mean 'dice'?"),
        ("check steel-laptop -s network.encoder=resnet19", 2, "near are resnet18"),
        ("check steel-laptop --data gone", 3, "gone: no such folder"),
        ("train steel-laptop --data . --out run --folds a", 2, "--folds is 'a'"),
        ("train steel-laptop --data . --out run --device gpu", 2, "--device is 'gpu'"),
        ("train steel-laptop --data . --out a.txt", 2, "a.txt: cannot be written"),
        ("train steel-laptop --data gone --out run", 3, "gone: no such folder"),
        ("train folder-laptop --data . --out run", 3, "images: no such folder"),
        ("tune gone", 3, "name a run folder"),
        ("predict . images --out pred", 2, "neither a run folder"),
        ("predict empty.zip images --out pred", 4, "neither a bundle's folder nor a zip"),
        ("predict empty.zip images --out pred --memory lots", 2, "--memory is 'lots'"),
        ("score gone .", 3, "name a folder that `lamina predict` wrote"),
        ("submit . --out s.csv", 3, ".: no prediction.json in it; name a folder"),
        ("report gone", 3, "name a run folder"),
        ("demo silk", 2, "'silk' is not one of 'steel', 'xray', 'faults'"),
        ("demo --quick --out a.txt", 2, "cannot be written"),
    ],
)
def test_a_mistake_is_one_message_and_an_exit_code(line: str, code: int, said: str) -> None:
    Path("a.txt").touch()
    Path("empty.zip").touch()
    done = lamina(line, code=code)
    assert isinstance(done.exception, SystemExit)
    assert said in done.stderr
    assert done.stdout == ""
    assert {path.name for path in Path().iterdir()} <= {"a.txt", "empty.zip", "run"}


def test_steel_from_a_recipe_to_a_report() -> None:
    write_severstal(Path("steel"), count=6, seed=13, shape=(64, 128))
    Path("my.yaml").write_text(STEEL + TAIL, encoding="utf-8")
    assert "steel-laptop" in lamina("new --list").stdout
    assert lamina("new steel-laptop").stdout.startswith("# Completion in editors: lamina new")
    shared = lamina("new steel-laptop --schema recipe.schema.json").stdout
    assert shared.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert json.loads(Path("recipe.schema.json").read_text(encoding="utf-8"))["properties"]
    lamina("new steel-laptop --schema my.yaml", code=2)
    assert "epochs: 1" in lamina("check my.yaml --resolved").stdout
    assert "from my.yaml:14" in lamina("check my.yaml --why stages.main.batch").stdout
    assert answer("check my.yaml --data steel")["folds"] == {"0": 3, "1": 3}

    trained = answer("train my.yaml --data steel --out run --workers 0")
    assert [row["cases"] for row in trained["folds"]] == [3, 3]
    report = answer("report run")
    assert Path(report["report"]).stat().st_size == report["bytes"]
    tuned = answer("tune run")["scores"]
    assert tuned["tuned"] >= tuned["baseline_empty"]

    predicted = answer("predict run steel --out pred")
    assert (predicted["predicted"], predicted["known"]) == (6, {"held_out": 6})
    lamina("train my.yaml --data steel --out run --workers 0")  # nothing to do, nothing lost
    assert answer("predict run steel --out pred")["kept"] == 6
    found = answer("score pred steel")
    keys = {"metric", "value", "baseline_empty", "foreground_dice", "pooled_dice", "classes"}
    assert keys <= found.keys()
    assert found["value"] == pytest.approx(tuned["tuned"])  # the same members, the same decision
    assert "baseline: all-empty prediction" in lamina("score pred steel").stdout

    classes = len(found["classes"])
    assert answer("submit pred --out sub.csv")["rows"] == 6 * classes
    assert len(Path("sub.csv").read_text(encoding="utf-8").splitlines()) == 6 * classes + 1
    lamina("submit pred --format sevrstal --out other.csv", code=2)
    lamina("submit pred --out steel", code=2)
    assert not Path("other.csv").exists()
    assert "Dice" in Path(lamina("report run").stdout.split()[-1]).read_text(encoding="utf-8")


def test_a_folder_is_predicted_out_of_fold_and_a_bad_image_does_not_stop_the_others() -> None:
    folder_data(Path("data"), 6)
    Path("my.yaml").write_text(FOLDER + TAIL, encoding="utf-8")
    lamina("train my.yaml --data data --out run --workers 0 --keep-state")
    lamina("tune run --decision argmax", code=2)
    tuned = answer("tune run --decision triplet")
    assert tuned["decision"]["kind"] == "triplet"
    assert answer("predict run data --out pred")["known"] == {"held_out": 6}
    found = answer("score pred data")
    assert found["known"] == {"held_out": 6}
    assert found["value"] == pytest.approx(tuned["scores"]["tuned"])
    assert "pass --format" in lamina("submit pred --out sub.csv", code=2).stderr
    assert answer("submit pred --format siim --out sub.csv")["rows"] == 6

    shutil.copytree("data/images", "mixed")
    cut = Path("mixed/3.png")
    cut.write_bytes(cut.read_bytes()[:400])
    found = answer("predict run mixed --out some", code=5)
    assert found["predicted"] == 5
    (failed,) = found["failed"]
    assert failed["source"] == str(cut)
    assert "cut off" in failed["why"]
    assert {path.stem for path in Path("some/masks").iterdir()} == {"0", "1", "2", "4", "5"}

    other = "holds predictions of other bundles or options"
    lamina("train my.yaml --data data --out run --workers 0 -s train.epochs=2 --accept-changes")
    assert len(Path("run/fold0/metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert not Path("run/tune.json").exists()  # it was tuned for other members
    Path("my.yaml").write_text(
        (FOLDER + TAIL).replace("train: {", "stages: [{name: fine}]\ntrain: {"), encoding="utf-8"
    )
    renamed = "train my.yaml --data data --out run --accept-changes"
    assert "has trained the stages main" in lamina(renamed, code=2).stderr

    Path("other.yaml").write_text(FOLDER.replace("tiny-folder", "other") + TAIL, encoding="utf-8")
    lamina("train other.yaml --data data --out run2 --folds 0 --workers 0")
    assert other in lamina("predict run2 data --out pred", code=2).stderr
    mask = cv2.imread("data/masks/2.png", cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    mask[:3] = 7
    cv2.imwrite("data/masks/2.png", mask)
    assert "7: 288 pixels" in lamina("train my.yaml --data data --out run", code=3).stderr


def test_a_volume_cut_into_slices() -> None:
    Path("data").mkdir()
    images, labels = zip(*(picture(index) for index in range(7)), strict=True)
    tifffile.imwrite("data/raw.tif", np.stack(images))
    tifffile.imwrite("data/labels.tif", np.stack(labels))
    Path("my.yaml").write_text(VOLUME + TAIL, encoding="utf-8")
    assert answer("check my.yaml --data data")["folds"] == {"-1": 1, "0": 1}
    lamina("train my.yaml --data data --out run --workers 0")
    lamina("tune run")
    assert answer("predict run data --out pred")["known"] == {"partly_seen": 1}
    assert tifffile.imread("pred/masks/raw.tif").shape == (7, 64, 96)
    assert answer("score pred data --part validate")["part"] == "validate"
    assert "holds images" in lamina("submit pred --format severstal --out s.csv", code=3).stderr
    lamina("report run")


@pytest.mark.parametrize(
    ("name", "data"), [("start.pth", b"\x80\x04N."), ("start.safetensors", b"\x80\x04N.")]
)
def test_a_pickle_given_as_weights_is_refused_unopened(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)
    folder_data(Path("data"), 4)
    Path("my.yaml").write_text(FOLDER + TAIL, encoding="utf-8")
    done = lamina(f"train my.yaml --data data --out run -s network.weights={name}", code=4)
    assert "is a pickle" in done.stderr
    # nothing was trained yet, so that the folder takes the corrected recipe
    done = lamina("train my.yaml --data data --out run -s network.weights=gone", code=4)
    assert "gone: weights cannot be read" in done.stderr


def test_a_group_on_both_sides_of_given_folds_is_listed() -> None:
    """L12."""
    write_severstal(Path("steel"), count=4, seed=2, shape=(64, 128))
    names = sorted(path.name for path in Path("steel/train_images").iterdir())
    folds = "".join(f"{name},{number % 2}\n" for number, name in enumerate(names))
    Path("steel/folds.csv").write_text("ImageId,fold\n" + folds, encoding="utf-8")
    groups = "".join(f"{name},plate{number // 2}\n" for number, name in enumerate(names))
    Path("steel/groups.csv").write_text("ImageId,Group\n" + groups, encoding="utf-8")
    Path("my.yaml").write_text(STEEL + TAIL, encoding="utf-8")
    line = "check my.yaml --data steel -s task.names=[a,b,c,d] "
    line += "-s split.groups=groups.csv -s split.path=folds.csv"
    said = lamina(line, code=3).stderr
    assert "2 groups are on both sides" in said
    assert f"fold 0: {names[0]}" in said


def test_ctrl_c_saves_and_leaves_with_130() -> None:
    """C04."""
    folder_data(Path("data"), 4)
    Path("my.yaml").write_text(FOLDER + TAIL, encoding="utf-8")
    words = "train my.yaml --data data --out run --workers 0 -s train.epochs=5000 --json"
    process = subprocess.Popen(
        [sys.executable, "-m", "lamina.cli.main", *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = Path("run/fold0/metrics.jsonl")
    while not log.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert out == ""
    assert "run the same command again to resume" in said
    assert "Traceback" not in said
    assert not Path("run/run.lock").exists()
    assert "has not finished" in lamina("tune run", code=3).stderr
    assert Path(answer("report run")["report"]).exists()
