"""A loss, metric, transform, reader, catalog and submission: one file and one line each.

The files lie in ``tests/one_of_each``. They are put into a copy of the package, each is named in
the ``__init__.py`` of its family as CONTRIBUTING says, and every verb is run with all of them.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamina
from lamina.seeding import rng

FILES = Path(__file__).parent / "one_of_each"
ADDED = {
    ("model/losses", "tversky"): ("Tversky", r"AnyLoss = Annotated\[", "|"),
    ("model/metrics", "fowlkes_mallows"): ("FowlkesMallows", r"AnyMetric = Annotated\[", "|"),
    ("data/transforms", "negative"): ("Negative", r"Single = \(", "|"),
    ("data/catalogs", "side_by_side"): ("SideBySide", r"AnyCatalog = Annotated\[", "|"),
    ("result/submissions", "areas"): ("Areas", r"AnySubmission = Annotated\[", "|"),
    ("data/readers", "pgm"): ("PGM", r"FORMATS = Formats\(\s*\(", ","),
}
RECIPE = """
name: one-of-each
task: {kind: binary}
precision: float32
data: {kind: side_by_side, labels: {0: 0, 255: 1}}
split: {kind: folds, count: 2}
frame: {size: [16, 16], channels: 1, normalise: {kind: fixed, mean: 0.5, std: 0.5}}
transforms: [{kind: negative, p: 0.5}, {kind: one_of, of: [{kind: negative}, {kind: flip}]}]
network: {kind: drunet, widths: [8, 16], blocks: 1, residual: false}
loss: [{kind: tversky, missed: 0.6}]
train: {epochs: 1, batch: 4, validate_every: 1}
monitor: {kind: fowlkes_mallows, over: pooled}
metric: {kind: fowlkes_mallows}
submit: {kind: areas}
"""


def extended(folder: Path) -> Path:
    """Return a copy of the package with one component of each kind more."""
    package = Path(shutil.copytree(Path(lamina.__path__[0]), folder / "lib" / "lamina"))
    for (family, module), (name, union, join) in ADDED.items():
        shutil.copy(FILES / f"{module}.py", package / family)
        face = package / family / "__init__.py"
        text = face.read_text(encoding="utf-8")
        line = f"from lamina.{family.replace('/', '.')}.{module} import {name} as {name}\n"
        first = re.search(r"^from lamina\.", text, re.MULTILINE)
        assert first is not None
        text = text[: first.start()] + line + text[first.start() :]
        text, count = re.subn(f"({union}\\s*)", f"\\g<1>{name}{join} ", text)
        assert count == 1, f"{face}: no {union}"
        face.write_text(text, encoding="utf-8")
    return package


def pgm(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    rows, columns = pixels.shape
    path.write_bytes(f"P5\n{columns} {rows}\n255\n".encode() + pixels.tobytes())


def write_data(root: Path) -> list[str]:
    """Write eight grey images with a bright square, masks beside them; return the ids."""
    root.mkdir()
    names = [f"tile{number}" for number in range(8)]
    for number, name in enumerate(names):
        image = rng(0, "tile", number).integers(0, 100, (24, 20)).astype(np.uint8)
        mask = np.zeros((24, 20), np.uint8)
        mask[4 + number : 12 + number, 5:13] = 255
        pgm(root / f"{name}_image.pgm", np.maximum(image, mask // 2 + image // 2))
        pgm(root / f"{name}_mask.pgm", mask)
    return names


@pytest.fixture
def verb(tmp_path: Path) -> Any:
    package = extended(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "OMP_NUM_THREADS": "1"}
    code = "import sys; from lamina.cli.main import run; sys.exit(run())"

    def call(*words: object) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words), "--json"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


@pytest.mark.slow
def test_every_verb_knows_what_was_added_in_one_file_and_one_line(
    tmp_path: Path, verb: Any
) -> None:
    data, run, pred = tmp_path / "data", tmp_path / "run", tmp_path / "pred"
    names = write_data(data)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")

    verb("check", recipe, "--data", data)
    verb("train", recipe, "--data", data, "--out", run, "--workers", 0)
    tuned = verb("tune", run)
    assert tuned["metric"].startswith("Fowlkes-Mallows index per image and class")
    assert tuned["aim"]["instead"] == "a search sums up ratios without roots"
    verb("predict", run, data, "--out", pred, "--members", "all")
    stored = json.loads((pred / "prediction.json").read_text(encoding="utf-8"))
    assert sorted(case["id"] for case in stored["cases"]) == names  # and no mask among them
    score = verb("score", pred, data)
    assert (score["cases"], score["metric"]) == (len(names), tuned["metric"])
    assert 0 <= score["value"] <= 1
    verb("submit", pred, "--out", tmp_path / "areas.csv")
    with (tmp_path / "areas.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == names
    assert {row["class"] for row in rows} == {"0"}
