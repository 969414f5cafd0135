"""A run folder as training leaves it, with names that a page must escape."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import lamina
from lamina.files import write_json, write_text
from lamina.geometry.rle import encode
from lamina.predict.predictions import Info, PredictedCase, Predictions, source_digest
from lamina.recipe.load import load_recipe, resolved_text
from lamina.result.search import Tables

HOSTILE = "<b>&$x.png"
NAMES = ("<i>pit</i>", "scratch $a$")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two folds of three images; image 0 of each fold is well predicted, 1 badly, 2 is clean."""
    data, run = tmp_path / "data", tmp_path / "run"
    recipe = load_recipe("steel-laptop", [f"task.names={json.dumps(NAMES)}", "split.count=2"])
    rng = np.random.default_rng(0)
    (data / "images").mkdir(parents=True)
    lines, maps, masks = ["ImageId,ClassId,EncodedPixels"], {}, {}
    for number, name in enumerate(["a.png", "b.png", "c.png", "d.png", "e.png", HOSTILE]):
        image = rng.integers(60, 200, (32, 48)).astype(np.uint8)
        cv2.imwrite(str(data / "images" / name), image)
        mask = np.zeros((2, 32, 48), np.bool_)
        if number % 3 != 2:
            mask[number % 2, 8:20, 10:30] = True
        masks[name] = mask
        shift = 20 if number % 3 == 1 else 1
        maps[name] = np.roll(mask, shift, axis=2) * np.float32(0.8) + np.float32(0.1)
        lines += [f'"{name}",{k + 1},{encode(m, "severstal")}' for k, m in enumerate(mask)]
    write_text(data / "train.csv", "\n".join(lines) + "\n")
    cases = recipe.data.open(data, recipe.task).cases
    folds = {case.id: number // 3 for number, case in enumerate(cases)}
    write_json(run / "recipe.json", recipe.model_dump(mode="json"))
    write_text(run / "recipe.resolved.yaml", resolved_text(recipe))
    write_json(run / "env.json", {"device": "cpu", "versions": {"torch": "2.10"}})
    rows = [
        {
            "id": case.id,
            "fold": folds[case.id],
            "group": case.group,
            "axes": "yx",
            "shape": list(case.image.shape),
            "channels": 1,
            "dtype": "uint8",
            "classes": case.facts.get("classes"),
        }
        for case in cases
    ]
    write_json(run / "data.json", {"root": str(data), "names": list(NAMES), "cases": rows})
    tables = Tables(2)
    for fold in (0, 1):
        log = [
            {"stage": "main", "epoch": e, "step": e, "loss": 1 / (e + 1), "lr": 1e-3, "seconds": 1}
            | ({"monitor": e / 9, "best": True} if e % 3 == 2 else {})
            for e in range(9)
        ]
        write_text(run / f"fold{fold}" / "metrics.jsonl", "\n".join(map(json.dumps, log)) + '\n{"s')
        mine = [case for case in cases if folds[case.id] == fold]
        info = Info(
            lamina=lamina.__version__,
            recipe=recipe,
            recipe_digest=recipe.digest(),
            bundles=("0" * 64,),
            members="out_of_fold",
            predict=recipe.predict,
            tile=recipe.tile,
            precision="float32",
            device="cpu",
            versions={},
            decision=recipe.decide,
            cases=tuple(
                PredictedCase(
                    id=case.id,
                    source=case.image.name,
                    sha256=source_digest(case.files),
                    axes="yx",
                    shape=case.image.shape,
                    members=(f"fold{fold}",),
                    known="held_out",
                )
                for case in mine
            ),
        )
        predictions = Predictions.create(run / f"fold{fold}" / "oof", info)
        for case in mine:
            predictions.add(case.id, maps[case.id])
            tables.add(predictions.prob(case.id), masks[case.id], fold=fold)
    found = tables.best()
    classes = {n: c.model_dump(mode="json") for n, c in zip(NAMES, found.classes, strict=True)}
    scores = {"nested": found.cross, "tuned": found.score}
    write_json(run / "tune.json", {"classes": classes, "scores": scores})
    return run
