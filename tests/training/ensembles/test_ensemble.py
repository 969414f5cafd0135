"""Two runs of different networks and folds as one: honest, weighted, and tuned like any run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.bundle import Bundle
from lamina.data.splits import read_folds
from lamina.errors import BundleError, RecipeError
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.reporting.page import report
from lamina.training.ensembles.ensemble import ensemble
from lamina.training.run import train
from lamina.tuning.tune import tune
from tests.factories.training import SMALL, known, steel_recipe

SEVERAL = ("train.epochs=2", "train.keep=2", "train.member=top", "stages.main.resize=[48, 64]")
"""Two members of each fold, at another size."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and two runs: other networks, folds, tiles, sizes, and numbers of members."""
    folder = tmp_path_factory.mktemp("ensemble")
    data = known(folder)
    train(steel_recipe(folder), data=data, out=folder / "one")
    changes = (SMALL, "split.seed=2", "predict.tile=[64, 96]", *SEVERAL)
    train(steel_recipe(folder, *changes), data=data, out=folder / "two")
    return folder


def test_out_of_fold_answers_are_merged_by_weight_and_fold_of_each_run(
    folder: Path, tmp_path: Path
) -> None:
    """STEEL-24."""
    runs = [folder / "one", folder / "two"]
    folds = [read_folds(run / "folds.csv") for run in runs]
    assert folds[0] != folds[1]
    found = ensemble(runs, tmp_path / "both", weights=[2, 1], mean="cubic")
    twos = [f"two-fold{fold}-{number}" for fold in (0, 1) for number in (1, 2)]
    assert found.members == ("one-fold0", "one-fold1", *twos)
    assert (found.out_of_fold, found.answers) == (8, {"2": 8})
    json.dumps(found.to_dict(), allow_nan=False)
    for fold in (0, 1):
        merged = Predictions.open(tmp_path / "both" / f"fold{fold}" / "oof")
        assert set(merged.ids) == {id for id, at in folds[0].items() if at == fold}
        for id in merged.ids:
            one, two = (
                Predictions.open(run / f"fold{at[id]}" / "oof").prob(id).astype(float)
                for run, at in zip(runs, folds, strict=True)
            )
            wanted = ((2 * one**3 + two**3) / 3) ** (1 / 3)
            np.testing.assert_allclose(merged.prob(id), wanted, atol=5e-4)  # float16
            twos = [f"two-fold{folds[1][id]}-{number}" for number in (1, 2)]
            members = (f"one-fold{folds[0][id]}", *twos)
            assert merged.case(id).members == members


@pytest.mark.parametrize("mean", ["arithmetic", "root_mean_square"])
def test_predict_answers_training_images_as_merged(folder: Path, tmp_path: Path, mean: str) -> None:
    ensemble([folder / "one", folder / "two"], tmp_path / "both", weights=[2, 1], mean=mean)
    images = folder / "known" / "train_images"
    summary = predict([tmp_path / "both"], [images], tmp_path / "pred", device="cpu")
    assert summary.known == {"held_out": 8}
    found = Predictions.open(tmp_path / "pred")
    for fold in (0, 1):
        merged = Predictions.open(tmp_path / "both" / f"fold{fold}" / "oof")
        for id in merged.ids:
            assert found.case(id).members == merged.case(id).members
            np.testing.assert_allclose(found.prob(id), merged.prob(id), atol=1.5e-3)


def test_an_ensemble_is_tuned_and_reported_like_a_run(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    ensemble([folder / "one", folder / "two"], both)
    before = Bundle.load(both / "bundle")
    found = tune(both)
    tuned = Bundle.load(both / "bundle")
    assert found.decision == tuned.decision
    assert tuned.digest() == before.digest()
    assert found.selection.groups == 8
    assert report(both).bytes > 1000
    ensemble([folder / "one", folder / "two"], both)  # the same command again keeps it
    assert Bundle.load(both / "bundle").decision == tuned.decision


def test_a_mean_of_logits_is_one_from_the_tiles_on(folder: Path, tmp_path: Path) -> None:
    found = ensemble([folder / "one", folder / "two"], tmp_path / "both", mean="logit")
    mean_of = Bundle.load(tmp_path / "both" / "bundle").recipe.predict.mean_of
    assert {mean_of.views, mean_of.tiles, mean_of.members} == {"logit"}
    assert found.out_of_fold == 8


def test_a_fold_that_no_run_answers_is_left_out_with_a_word(folder: Path, tmp_path: Path) -> None:
    train(steel_recipe(tmp_path), data=folder / "known", out=tmp_path / "half", folds=(0,))
    found = ensemble([tmp_path / "half"], tmp_path / "alone")
    assert found.out_of_fold == 4
    assert any("fold 1: 0 of 4 cases" in note for note in found.notes)
    assert not (tmp_path / "alone" / "fold1").exists()
    found = ensemble([tmp_path / "half", folder / "one"], tmp_path / "both")
    assert found.answers == {"1": 4, "2": 4}


def test_one_run_twice_is_told_apart_and_answers_as_itself(folder: Path, tmp_path: Path) -> None:
    found = ensemble([folder / "one", folder / "one"], tmp_path / "twice", weights=[3, 1])
    assert found.members[::2] == ("one-fold0", "one~2-fold0")
    merged = Predictions.open(tmp_path / "twice" / "fold0" / "oof")
    alone = Predictions.open(folder / "one" / "fold0" / "oof")
    for id in alone.ids:
        np.testing.assert_allclose(merged.prob(id), alone.prob(id), atol=5e-4)


def test_a_bundle_alone_has_nothing_to_tune_on(folder: Path, tmp_path: Path) -> None:
    found = ensemble([folder / "one", folder / "two" / "bundle"], tmp_path / "both")
    assert found.out_of_fold == 0
    assert any("only a bundle" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": [1]}, "--weights is 1; write a number above 0 for each of the 2 runs"),
        ({"weights": [1, 0]}, "--weights is 1,0"),
        ({"mean": "harmonic"}, "--mean is 'harmonic'; it must be one of arithmetic"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    folder: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        ensemble([folder / "one", folder / "two"], tmp_path / "both", **options)


def test_another_ensemble_or_a_run_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    ensemble([folder / "one", folder / "two"], tmp_path / "both")
    with pytest.raises(RecipeError, match="holds another ensemble"):
        ensemble([folder / "one", folder / "two"], tmp_path / "both", weights=[1, 2])
    with pytest.raises(RecipeError, match="is not empty"):
        ensemble([folder / "one"], folder / "two")
    with pytest.raises(BundleError, match="is an ensemble already"):
        ensemble([tmp_path / "both"], tmp_path / "again")
