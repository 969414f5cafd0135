"""WORK-23: a run that was stopped early predicts with the best checkpoints it has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import lamina
from lamina.bundle import bundle_so_far, load_bundles, unfinished_lines
from lamina.cli.main import app
from lamina.data.readers import open_volume
from lamina.errors import BundleError, RecipeError
from lamina.files import read_json, write_json
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from tests.factories.discs import discs, quick, stopped_run

EARLIER = Path(__file__).parents[1] / "data" / "earlier_run" / "stopped"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    discs(folder / "data")
    return stopped_run(folder)


def test_work_23_a_stopped_run_predicts_with_its_best_checkpoint_and_says_so(
    stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answers are those of the weights that position.json names as the best."""
    data = stopped.parent / "data"
    result = lamina.predict(stopped, data / "images", tmp_path / "pred")
    said = capsys.readouterr().err
    assert "training has not finished; the best checkpoints so far predict" in said
    assert "fold1: not begun" in said
    assert result.members == ("fold0",)
    stored = read_json(tmp_path / "pred" / "prediction.json")["unfinished"]
    assert stored == list(result.unfinished)
    saves = sorted((stopped / "fold0" / "state").glob("*/position.json"))
    kept = read_json(saves[-1])["kept"][0]
    assert f"the best is epoch {kept['epoch'] + 1} of main" in stored[0]
    recipe = lamina.Recipe.model_validate(read_json(stopped / "recipe.json"))
    network = recipe.network.build(1, 1)
    network.load_state_dict(load_file(stopped / "fold0" / "main" / kept["file"]))
    normalise = bundle_so_far(stopped).members[0].normalise
    member = Member(network.eval(), normalise, frame=recipe.frame, tile=recipe.tile)
    wanted = predict_case(
        open_volume(data / "images" / "disc0.png"),
        [member],
        recipe,
        device=torch.device("cpu"),
        precision=torch.bfloat16 if result.precision == "bfloat16" else None,
    )
    found = Predictions.open(tmp_path / "pred").prob("disc0")
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_work_23_images_of_the_fold_are_held_out_and_those_it_learnt_are_seen(
    stopped: Path, tmp_path: Path
) -> None:
    result = lamina.predict(stopped, stopped.parent / "data" / "images", tmp_path / "pred")
    assert result.known == {"held_out": 4, "seen": 4}


def test_work_23_the_run_goes_on_as_if_nobody_had_asked(stopped: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(stopped, tmp_path / "run")
    files = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    bundle_so_far(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == files
    begun = json.loads((copy / "fold0" / "metrics.jsonl").read_text().splitlines()[0])
    recipe = quick(tmp_path, "train.epochs=3")
    done = lamina.train(recipe, data=stopped.parent / "data", out=copy, accept_changes=True)
    rows = (copy / "fold0" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[0]) == begun
    assert len(done.folds) == 2
    assert unfinished_lines(lamina.Bundle.load(copy / "bundle")) == ()


def test_work_23_a_killed_run_of_an_earlier_version_predicts_too() -> None:
    """One fold of it has finished; the other was killed while its second save was written."""
    bundle = bundle_so_far(EARLIER)
    assert [member.name for member in bundle.members] == ["fold0", "fold1"]
    (whole,) = (EARLIER / "fold1" / "state").glob("*/index.json")
    position = read_json(whole.with_name("position.json"))
    wanted = load_file(EARLIER / "fold1" / "main" / position["kept"][0]["file"])
    found = bundle.weights(1)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    score = f"{position['kept'][0]['score']:.4f}"
    assert unfinished_lines(bundle)[0] == "fold0: finished"
    assert unfinished_lines(bundle)[1] == (
        "fold1: 1 of 3 epochs of stage main (1 of 1) are trained, the best is epoch 1 of main "
        f"(dice {score})"
    )


def test_work_23_a_damaged_newest_save_is_passed_over_and_a_damaged_checkpoint_is_refused(
    tmp_path: Path,
) -> None:
    run = Path(shutil.copytree(EARLIER, tmp_path / "run"))
    wanted = bundle_so_far(run).digest()
    saves = run / "fold1" / "state"
    shutil.copytree(saves / "00000001", saves / "00000003")
    (saves / "00000003" / "position.json").write_text("{}", encoding="utf-8")
    assert bundle_so_far(run).digest() == wanted
    for path in (run / "fold1" / "main").iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="does not match its digest"):
        bundle_so_far(run)


def test_work_23_a_run_that_saved_nothing_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run = Path(shutil.copytree(EARLIER, tmp_path / "run"))
    shutil.rmtree(run / "fold0")
    shutil.rmtree(run / "fold1" / "state")
    with pytest.raises(BundleError, match="its training has saved nothing yet; run the same"):
        bundle_so_far(run)


def test_work_23_before_the_first_validation_the_newest_weights_are_taken(tmp_path: Path) -> None:
    """They are those of the state, with the moving average in place of what it averages."""
    discs(tmp_path / "data", count=4)
    run = stopped_run(
        tmp_path, "train.validate_every=500", "train.ema={decay: 0.5}", "train.batch=2"
    )
    bundle = bundle_so_far(run)
    assert bundle.members[0].score is None
    assert "none is validated; the newest weights are taken" in unfinished_lines(bundle)[0]
    state = load_file(max((run / "fold0" / "state").glob("*/tensors.safetensors")))
    found = bundle.weights(0)
    averaged = {name.removeprefix("average/") for name in state if name.startswith("average/")}
    assert averaged
    assert all(
        torch.equal(value, state[f"{'average' if name in averaged else 'network'}/{name}"])
        for name, value in found.items()
    )
    bundle.network(0)


def test_work_23_only_predict_takes_what_is_not_finished(stopped: Path) -> None:
    assert load_bundles(stopped, unfinished=True)[0].recipe.name == "folder-laptop"
    with pytest.raises(BundleError, match="its training has not finished"):
        load_bundles(stopped)


def test_work_23_predictions_of_earlier_weights_are_not_mixed_with_later_ones(
    stopped: Path, tmp_path: Path
) -> None:
    run, image = tmp_path / "run", stopped.parent / "data" / "images" / "disc0.png"
    shutil.copytree(stopped, run)
    lamina.predict(run, image, tmp_path / "pred")
    position = max((run / "fold0" / "state").glob("*/position.json"))
    values = read_json(position)
    values["kept"] = [{**values["kept"][0], "score": 2.0}]
    digest = write_json(position, values)
    index = position.with_name("index.json")
    write_json(index, {**read_json(index), "position.json": digest})
    with pytest.raises(RecipeError, match="other bundles or options"):
        lamina.predict(run, image, tmp_path / "pred")


def test_work_23_the_command_names_the_members_of_a_recipe_of_several(
    stopped: Path, tmp_path: Path
) -> None:
    """The remedy that it prints works."""
    shutil.copytree(stopped, tmp_path / "run" / "members" / "a")
    image = stopped.parent / "data" / "images" / "disc0.png"
    command = ["predict", str(tmp_path / "run"), str(image), "--out", str(tmp_path / "pred")]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2
    member = f"{tmp_path}/run/members/a"
    assert f"predict with its members so far: {member}" in found.output
    again = CliRunner().invoke(app, [command[0], member, *command[2:]])
    assert again.exit_code == 0
