"""Run folders as training leaves them, with names that a page must escape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.files import write_json, write_text
from lamina.prediction.folder.predictions import Info, Predictions, source_digest
from lamina.recipe.load import load_recipe, resolved_text
from lamina.recipe.recipe import Recipe
from lamina.result.search.threshold import Tables
from lamina.rle.codec import encode
from tests.factories.predictions import predicted_case, prediction_info

HOSTILE = "<b>&$x.png"
NAMES = ("<i>pit</i>", "scratch $a$")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two folds of three images; image 0 of each fold is well predicted, 1 badly, 2 is clean."""
    data = tmp_path / "data"
    recipe = load_recipe("steel-laptop", [f"task.names={json.dumps(NAMES)}", "split.count=2"])
    rng = np.random.default_rng(0)
    (data / "images").mkdir(parents=True)
    lines, maps = ["ImageId,ClassId,EncodedPixels"], {}
    for number, name in enumerate(["a.png", "b.png", "c.png", "d.png", "e.png", HOSTILE]):
        cv2.imwrite(str(data / "images" / name), rng.integers(60, 200, (32, 48)).astype(np.uint8))
        mask = np.zeros((2, 32, 48), np.bool_)
        if number % 3 != 2:
            mask[number % 2, 8:20, 10:30] = True
        shift = 20 if number % 3 == 1 else 1
        maps[name] = np.roll(mask, shift, axis=2) * np.float32(0.8) + np.float32(0.1)
        lines += [f'"{name}",{k + 1},{encode(m, "severstal")}' for k, m in enumerate(mask)]
    write_text(data / "train.csv", "\n".join(lines) + "\n")
    cases = recipe.data.open(data, recipe.task).cases
    folds = [number // 3 for number in range(6)]
    return write_run(tmp_path / "run", recipe, data, cases, folds, maps)


@pytest.fixture
def volume_run(tmp_path: Path) -> Path:
    """One volume cut into sections; slice 4, the first held out but one, is wrong."""
    data = tmp_path / "data"
    data.mkdir()
    labels = np.zeros((6, 20, 24), np.uint8)
    labels[:, 5:15, 5:15] = 255
    for name, volume in (("raw.tif", labels // 2 + 30), ("mitochondria.tif", labels)):
        tifffile.imwrite(data / name, volume, photometric="minisblack")
    recipe = load_recipe("volume-laptop", ["split.train=[[0,3]]", "split.validate=[[3,6]]"])
    cases, folds = recipe.split.assign(recipe.data.open(data, recipe.task).cases, data)
    prob = (labels[3:6][None] > 0).astype(np.float32)
    prob[:, 1] = 0
    maps = {case.id: prob for case, fold in zip(cases, folds, strict=True) if fold == 0}
    return write_run(tmp_path / "run", recipe, data, cases, folds, maps)


@pytest.fixture
def restored_run(tmp_path: Path) -> Path:
    """Four images with their clean ones; what is answered is near."""
    data = tmp_path / "data"
    rng = np.random.default_rng(0)
    maps = {}
    for name in "abcd":
        clean = rng.integers(0, 256, (32, 48)).astype(np.uint8)
        for folder, image in (("images", clean ^ 7), ("masks", clean)):
            (data / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(data / folder / f"{name}.png"), image)
        maps[name] = clean[None] / np.float32(255) + np.float32(0.01)
    changes = ["data={kind: folder}", "task.unit=255", "split.count=2", "frame.slices=null"]
    recipe = load_recipe("denoise-laptop", [*changes, "predict.slices=[]"])
    cases = recipe.data.open(data, recipe.task).cases
    return write_run(tmp_path / "run", recipe, data, cases, [0, 0, 1, 1], maps)


def write_run(
    run: Path,
    recipe: Recipe,
    data: Path,
    cases: Any,
    folds: list[int],
    maps: dict[str, NDArray[np.float32]],
) -> Path:
    names = recipe.task.names or ()
    write_json(run / "recipe.json", recipe.model_dump(mode="json"))
    write_text(run / "recipe.resolved.yaml", resolved_text(recipe))
    write_json(run / "env.json", {"device": "cpu", "versions": {"torch": "2.10"}})
    rows = [_row(case, fold) for case, fold in zip(cases, folds, strict=True)]
    write_json(run / "data.json", {"root": str(data), "names": list(names), "cases": rows})
    tables = Tables(len(names))
    for fold in sorted({fold for fold in folds if fold >= 0}):
        write_text(run / f"fold{fold}" / "metrics.jsonl", _log())
        mine = [case for case, own in zip(cases, folds, strict=True) if own == fold]
        predictions = Predictions.create(run / f"fold{fold}" / "oof", _info(recipe, mine))
        for case in mine:
            predictions.add(case.id, maps[case.id])
            if recipe.task.kind != "restore":
                tables.add(predictions.prob(case.id), truth(case, recipe.task)[0], fold=fold)
    if recipe.task.kind == "restore":
        return run
    found = tables.best()
    classes = {n: c.model_dump(mode="json") for n, c in zip(names, found.classes, strict=True)}
    scores = {"nested": found.cross, "tuned": found.score}
    write_json(run / "tune.json", {"classes": classes, "scores": scores})
    return run


def _row(case: Case, fold: int) -> dict[str, Any]:
    return {
        "id": case.id,
        "fold": fold,
        "group": case.group,
        "axes": case.image.axes,
        "shape": list(case.image.shape),
        "channels": 1,
        "dtype": "uint8",
        "classes": case.facts.get("classes"),
    }


def _log() -> str:
    rows = [
        {"stage": "main", "epoch": e, "step": e, "loss": 1 / (e + 1), "lr": 1e-3, "seconds": 1}
        | ({"monitor": e / 9, "best": True} if e % 3 == 2 else {})
        for e in range(9)
    ]
    return "\n".join(map(json.dumps, rows)) + '\n{"stage": "ma'  # cut off by a crash


def _info(recipe: Recipe, cases: list[Case]) -> Info:
    listed = [
        predicted_case(
            case.id,
            case.image.shape,
            source=case.image.name,
            sha256=source_digest(case.files),
            axes=case.image.axes,
            known="held_out",
        )
        for case in cases
    ]
    return prediction_info(recipe, *listed, members="out_of_fold")
