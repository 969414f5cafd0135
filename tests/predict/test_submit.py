"""From a prediction to a csv: order, decision, formats and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lamina
from lamina.errors import DataError, RecipeError
from lamina.predict.predictions import Info, PredictedCase, Predictions
from lamina.predict.submit import submit
from lamina.recipe.load import load_recipe


def predicted(folder: Path, *changes: str, finished: int = 2, classes: int = 2) -> Path:
    recipe = load_recipe("steel-laptop", ["task.names=[one,two]", *changes])
    cases = [
        PredictedCase(
            id=id,
            source=id,
            sha256="1" * 64,
            axes="yx",
            shape=(2, 2),
            members=("fold0",),
            known="new",
        )
        for id in ("b.png", "a.png")
    ]
    info = Info(
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        bundles=("0" * 64,),
        members="all",
        predict=recipe.predict,
        tile=recipe.tile,
        precision="float32",
        device="cpu",
        versions={},
        decision=recipe.decide,
        cases=tuple(cases),
    )
    predictions = Predictions.create(folder, info)
    prob = np.array([[[0.9, 0.2], [0.6, 0.2]], [[0.1, 0.1], [0.1, 0.1]]], np.float32)
    for case in cases[:finished]:
        predictions.add(case.id, prob[:classes])
    return folder


def test_rows_are_sorted_by_image_and_decided_by_the_prediction(tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    found = submit(predicted(tmp_path / "pred", "decide.threshold=0.7"), out, format="severstal")
    assert found == {"format": "severstal", "out": str(out), "rows": 4, "cases": 2}
    assert out.read_text().splitlines() == [
        "ImageId_ClassId,EncodedPixels",
        "a.png_1,1 1",
        "a.png_2,",
        "b.png_1,1 1",
        "b.png_2,",
    ]
    json.dumps(found)


def test_without_a_format_the_recipe_decides(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", "submit={kind: severstal, columns: separate}")
    submit(pred, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().startswith("ImageId,EncodedPixels,ClassId\n")
    submit(pred, tmp_path / "t.csv", format="severstal")  # the options of the recipe stay
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "s.csv").read_bytes()


def test_an_unknown_format_lists_those_there_are(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", "submit=null")
    with pytest.raises(RecipeError, match="--format is 'kaggle'; it must be one of severstal"):
        submit(pred, tmp_path / "s.csv", format="kaggle")
    with pytest.raises(RecipeError, match="names no submission"):
        submit(pred, tmp_path / "s.csv")


def test_an_unfinished_prediction_is_not_submitted(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", finished=1)
    with pytest.raises(DataError, match="1 of 2 cases are not predicted yet"):
        submit(pred, tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_siim_32_images_of_the_sample_are_written_in_its_order_and_no_others(
    tmp_path: Path,
) -> None:
    pred = predicted(tmp_path / "pred", "task={kind: binary, names: [one]}", classes=1)
    sample = tmp_path / "sample.csv"
    sample.write_text("ImageId,EncodedPixels\nb,-1\na,-1\nb,-1\n", encoding="utf-8")
    out = tmp_path / "s.csv"
    found = submit(pred, out, format="siim", sample=sample)
    assert (found["rows"], found["skipped"]) == (2, 0)
    sample.write_text("ImageId,EncodedPixels\nb,-1\nb,-1\n", encoding="utf-8")
    found = submit(pred, out, format="siim", sample=sample)
    assert (found["rows"], found["skipped"]) == (1, 1)
    assert out.read_text() == "ImageId,EncodedPixels\nb,0 2\n"
    sample.write_text("ImageId,EncodedPixels\nc,-1\na,-1\n", encoding="utf-8")
    with pytest.raises(DataError, match="1 of its 2 images are not in the prediction, such as 'c'"):
        submit(pred, out, format="siim", sample=sample)
    with pytest.raises(RecipeError, match="--sample is for the siim format, not for severstal"):
        submit(pred, out, format="severstal", sample=sample)
