"""Options and thresholds changed at prediction: used, recorded, told, and nothing else changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lamina.bundle import Bundle, Part, join
from lamina.cli.main import app
from lamina.data.readers import open_volume
from lamina.errors import RecipeError
from lamina.evaluation.score import score
from lamina.evaluation.score_table import table
from lamina.files import read_json
from lamina.outputs.submit import submit
from lamina.prediction.changes import changed, with_threshold
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.recipe.recipe import MeanOf
from lamina.result.decisions import Argmax, Expected, Threshold, Triplet
from lamina.seeding import rng


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of 50 x 60 with two classes as masks of two pages."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(2):
        chance = rng(number, "changes")
        for kind, pixels in (
            ("images", chance.integers(0, 256, (50, 60), np.uint8)),
            ("masks", chance.integers(0, 2, (50, 60), np.uint8)),
        ):
            (folder / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"i{number}.png")
    return folder


@pytest.fixture(scope="module")
def bundle(make: Any) -> Bundle:
    return make.bundle().with_decision(  # type: ignore[no-any-return]
        Threshold(threshold=(0.5, 0.6), min_area=(3, 0)), {"tune": {"tuned": 1.0}}
    )


@pytest.fixture(scope="module")
def run(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    bundle.save(folder / "bundle")
    return folder


def test_views_and_tile_are_used_and_recorded(
    bundle: Bundle, run: Path, data: Path, tmp_path: Path
) -> None:
    """The answers are those of the engine with these options; the digest is the bundle's own."""
    changes = ("predict.views=flips", "predict.tile=[32, 64]", "predict.overlap=0.25")
    predict(run, data / "images", tmp_path / "pred", changes=changes, device="cpu")
    found = Predictions.open(tmp_path / "pred")
    assert found.info.changes == changes
    assert (found.info.predict.views, found.info.tile) == ("flips", (32, 64))
    assert found.info.bundles == (bundle.digest(),)
    options = bundle.recipe.predict.model_copy(
        update={"views": "flips", "tile": (32, 64), "overlap": 0.25}
    )
    recipe = bundle.recipe.model_copy(update={"predict": options})
    members = [Member(bundle.network(n), bundle.members[n].normalise) for n in range(2)]
    image = open_volume(data / "images" / "i0.png")
    wanted = predict_case(image, members, recipe, device=torch.device("cpu"))
    np.testing.assert_allclose(found.prob("i0"), wanted, atol=1e-3)
    plain = predict_case(image, members, bundle.recipe, device=torch.device("cpu"))
    assert np.abs(plain - wanted).max() > 1e-3


def test_other_views_are_not_mixed_with_what_is_there_and_another_threshold_only_decides_anew(
    run: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pred"
    predict(run, data / "images", out)
    with pytest.raises(RecipeError, match="other bundles or options"):
        predict(run, data / "images", out, changes=["predict.views=flips"])
    again = predict(run, data / "images", out, threshold=0.1)
    assert (again.predicted, again.redecided) == (0, 2)
    found = Predictions.open(out)
    assert found.info.changes == ("--threshold 0.1",)
    assert found.decision == Threshold(threshold=0.1, min_area=(3, 0))
    wanted = found.decision(found.prob("i0"))
    assert (found.stored_mask("i0") == wanted).all()


def test_thresholds_by_name_leave_the_tuned_numbers_of_the_others(bundle: Bundle) -> None:
    (one,) = with_threshold([bundle], {"line": 0.4})
    assert one.decision == Threshold(threshold=(0.5, 0.4), min_area=(3, 0))
    (every,) = with_threshold([bundle], 0.25)
    assert every.decision == Threshold(threshold=0.25, min_area=(3, 0))
    assert bundle.decision == Threshold(threshold=(0.5, 0.6), min_area=(3, 0))


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        ({"lines": 0.4}, r"there is no class 'lines'.*line"),
        (1.5, "lie between 0 and 1"),
        ({"dot": -0.1}, "lie between 0 and 1"),
    ],
)
def test_thresholds_that_cannot_be_are_refused(bundle: Bundle, threshold: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        with_threshold([bundle], threshold)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Argmax(), "the decision argmax has no threshold: it"),
        (Triplet(), r"the decision triplet has no threshold.*-s decide\.NAME=VALUE"),
    ],
)
def test_a_decision_without_a_threshold_refuses_one(
    bundle: Bundle, decision: Any, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        with_threshold([bundle.with_decision(decision, {})], 0.4)


def test_a_fixed_threshold_takes_the_place_of_those_of_each_image(bundle: Bundle) -> None:
    (one,) = with_threshold([bundle.with_decision(Expected(), {})], 0.4)
    assert one.decision == Threshold(threshold=0.4)
    (each,) = with_threshold([bundle.with_decision(Expected(), {})], {"dot": 0.4, "line": 0.3})
    assert each.decision == Threshold(threshold=(0.4, 0.3))
    with pytest.raises(RecipeError, match="one for each"):
        with_threshold([bundle.with_decision(Expected(), {})], {"dot": 0.4})


def test_options_of_the_decision_are_laid_over_the_tuned_one(bundle: Bundle) -> None:
    (one,) = changed([bundle], ["decide.min_area=7"])
    assert one.decision == Threshold(threshold=(0.5, 0.6), min_area=7)
    (other,) = changed([bundle], ["decide.kind=triplet"])
    assert isinstance(other.decision, Triplet)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("frame.size=[64, 64]", "predict takes changes of predict and decide only; the members"),
        ("train.epochs=3", "-s train.epochs=3: predict takes changes"),
        ("predict.view=flips", r"predict\.view"),
        ("predict.tile=[30, 30]", "needs multiples of 8"),
        ("predict.overlap=2", r"predict\.overlap"),
    ],
)
def test_other_options_and_wrong_values_are_refused(bundle: Bundle, change: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        changed([bundle], [change])


def test_members_of_an_ensemble_keep_their_tiles_unless_the_tile_is_changed(make: Any) -> None:
    parts = [
        Part(name, make.bundle(seed=seed, predict={"tile": [tile, tile]}), 1.0)
        for seed, (name, tile) in enumerate({"a": 32, "b": 64}.items())
    ]
    joined = join(parts, MeanOf())
    (views,) = changed([joined], ["predict.views=flips"])
    assert [views.recipe_of(n).tile for n in (0, 2)] == [(32, 32), (64, 64)]
    (tiles,) = changed([joined], ["predict.tile=[48, 48]"])
    assert [tiles.recipe_of(n).tile for n in (0, 2)] == [(48, 48), (48, 48)]
    assert tiles.digest() == views.digest() == joined.digest()


def test_score_and_submit_use_and_tell_the_changes(make: Any, data: Path, tmp_path: Path) -> None:
    """With a threshold of 1 nothing is predicted, whatever was tuned."""
    task = {"kind": "binary", "names": ["dot"]}
    made = make.bundle(task=task, data={"kind": "folder", "labels": "binary"})
    made.save(tmp_path / "run" / "bundle")
    out = tmp_path / "pred"
    command = ["predict", str(tmp_path / "run"), str(data / "images"), "--out", str(out)]
    done = CliRunner().invoke(app, [*command, "-s", "predict.views=flips", "--threshold", "dot=1"])
    assert done.exit_code == 0, done.output
    changes = ["predict.views=flips", "--threshold dot=1"]
    assert f"changed for this prediction: {', '.join(changes)}" in done.stderr
    assert "decision not tuned" not in done.stderr
    assert read_json(out / "prediction.json")["changes"] == changes
    found = score(out, data)
    assert found.classes[0].images_predicted == 0
    assert f"predicted with changes: {', '.join(changes)}" in table(found)
    assert list(submit(out, tmp_path / "sub.csv", format="severstal").changes) == changes


@pytest.mark.parametrize("words", [["0.4", "0.5"], ["dot"], ["dot=high"]])
def test_thresholds_that_cannot_be_read_are_refused_before_anything_is_loaded(
    words: list[str], run: Path, data: Path, tmp_path: Path
) -> None:
    options = [part for word in words for part in ("--threshold", word)]
    command = ["predict", str(run), str(data), "--out", str(tmp_path / "pred"), *options]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2
    assert "write one number for all classes, such as 0.4, or CLASS=NUMBER" in found.output
    assert not (tmp_path / "pred").exists()


def test_a_threshold_for_several_classes_on_the_command_line(
    run: Path, data: Path, tmp_path: Path
) -> None:
    options = ["--threshold", "dot=0.2", "--threshold", "line=0.3", "--json"]
    out = str(tmp_path / "pred")
    found = CliRunner().invoke(app, ["predict", str(run), str(data), "--out", out, *options])
    assert json.loads(found.stdout)["cases"] == 2
    assert Predictions.open(out).decision == Threshold(threshold=(0.2, 0.3), min_area=(3, 0))
