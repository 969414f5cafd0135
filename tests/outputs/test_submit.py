"""From a prediction to a csv: order, decision, formats and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.outputs.submit import submit
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.result.submissions.coordinates_npz import read_coordinates
from tests.factories.predictions import write_predictions


def predicted(folder: Path, *changes: str, finished: int = 2, classes: int = 2) -> Path:
    recipe = load_recipe("steel-laptop", ["task.names=[one,two]", *changes])
    prob = np.array([[[0.9, 0.2], [0.6, 0.2]], [[0.1, 0.1], [0.1, 0.1]]], np.float32)
    answers = dict.fromkeys(("b.png", "a.png"), prob[:classes])
    return write_predictions(folder, recipe, answers, finished=finished)


def test_rows_are_sorted_by_image_and_decided_by_the_prediction(tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    found = submit(predicted(tmp_path / "pred", "decide.threshold=0.7"), out, format="severstal")
    wanted = {"format": "severstal", "out": str(out), "rows": 4, "cases": 2, "changes": []}
    assert found.to_dict() == wanted
    assert out.read_text().splitlines() == [
        "ImageId_ClassId,EncodedPixels",
        "a.png_1,1 1",
        "a.png_2,",
        "b.png_1,1 1",
        "b.png_2,",
    ]
    json.dumps(found.to_dict())


def test_without_a_format_the_recipe_decides(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", "submit={kind: severstal, columns: separate}")
    submit(pred, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().startswith("ImageId,EncodedPixels,ClassId\n")
    submit(pred, tmp_path / "t.csv", format="severstal")  # the options of the recipe stay
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "s.csv").read_bytes()


def test_an_unknown_format_lists_those_there_are(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", "submit=null")
    with pytest.raises(RecipeError, match="'kaggle'; it must be one of coordinates_npz, severstal"):
        submit(pred, tmp_path / "s.csv", format="kaggle")
    with pytest.raises(RecipeError, match="names no submission"):
        submit(pred, tmp_path / "s.csv")


def test_an_unfinished_prediction_is_not_submitted(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", finished=1)
    with pytest.raises(DataError, match="1 of 2 cases are not predicted yet"):
        submit(pred, tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_images_of_the_sample_are_written_in_its_order_and_no_others(
    tmp_path: Path,
) -> None:
    """SIIM-32; SIIM-31: one that is listed twice has one row, by the decision of all others."""
    pred = predicted(tmp_path / "pred", "task={kind: binary, names: [one]}", classes=1)
    sample = tmp_path / "sample.csv"
    sample.write_text("ImageId,EncodedPixels\nb,-1\na,-1\nb,-1\n", encoding="utf-8")
    out = tmp_path / "s.csv"
    found = submit(pred, out, format="siim", sample=sample)
    assert (found.rows, found.skipped) == (2, 0)
    sample.write_text("ImageId,EncodedPixels\nb,-1\nb,-1\n", encoding="utf-8")
    found = submit(pred, out, format="siim", sample=sample)
    assert (found.rows, found.skipped) == (1, 1)
    assert out.read_text() == "ImageId,EncodedPixels\nb,0 2\n"
    sample.write_text("ImageId,EncodedPixels\nc,-1\na,-1\n", encoding="utf-8")
    with pytest.raises(DataError, match="1 of its 2 images are not in the prediction, such as 'c'"):
        submit(pred, out, format="siim", sample=sample)
    with pytest.raises(RecipeError, match="--sample is for the siim format, not for severstal"):
        submit(pred, out, format="severstal", sample=sample)


def predicted_volumes(folder: Path, *changes: str) -> tuple[Path, NDArray[np.float32]]:
    """Two volumes of background and fault, so large that each comes in several slabs."""
    recipe = load_recipe(
        "volume-laptop",
        [
            "task={kind: multiclass, names: [rock, fault]}",
            "data.labels=null",
            "decide={kind: argmax}",
            *changes,
        ],
    )
    shape = (70, 4, 6)
    fault = np.random.default_rng(0).choice([0.25, 0.5, 0.75], (2, *shape)).astype(np.float32)
    ids = ("2023-10-05_b", "2023-10-05_a")
    answers = {id: np.stack([1 - prob, prob]) for id, prob in zip(ids, fault, strict=True)}
    return write_predictions(folder, recipe, answers), fault


def test_volumes_are_handed_in_as_coordinates_slab_by_slab(tmp_path: Path) -> None:
    """FAULT-15."""
    pred, prob = predicted_volumes(tmp_path / "pred", "submit={kind: coordinates_npz}")
    assert len(list(Predictions.open(pred).slabs("2023-10-05_a"))) == 2
    out = tmp_path / "s.npz"
    found = submit(pred, out)
    assert found.to_dict() == {
        "format": "coordinates_npz",
        "out": str(out),
        "rows": 2,
        "cases": 2,
        "changes": [],
    }
    got = dict(read_coordinates(out))
    assert list(got) == ["2023-10-05_a", "2023-10-05_b"]
    for name, fault in zip(("2023-10-05_b", "2023-10-05_a"), prob, strict=True):
        # FAULT-14: where both are equally probable it is background
        np.testing.assert_array_equal(got[name], np.argwhere(fault > 0.5))


def test_a_csv_of_images_refuses_volumes(tmp_path: Path) -> None:
    pred, _ = predicted_volumes(tmp_path / "pred")
    with pytest.raises(DataError, match="3 axes"):
        submit(pred, tmp_path / "s.csv", format="severstal")


def test_masks_and_values_have_formats_of_their_own(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred")
    with pytest.raises(RecipeError, match="holds masks; slices_npz is for values"):
        submit(pred, tmp_path / "s.npz", format="slices_npz")
