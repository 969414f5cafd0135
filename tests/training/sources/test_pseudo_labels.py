"""Made labels from end to end: fold-safe, mixed as asked, and refused where they would leak."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lamina.bundle import Bundle
from lamina.data.readers import Dicom
from lamina.data.splits import read_folds
from lamina.data.targets.pseudo_labels import PseudoLabelFolder
from lamina.errors import DataError, LeakError, RecipeError
from lamina.files import digest, read_json, sealed, write_json
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.pseudo_labels.confidence import Filters
from lamina.pseudo_labels.make import pseudo
from lamina.synthetic.steel import write_severstal
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.sources.pseudo_labels import (
    Labels,
    PseudoLabelCases,
    open_labels,
    refuse_leaks,
)
from lamina.training.stage.loading.samples import epoch_of
from lamina.volume import read_all
from tests.factories.training import SHAPE, SMALL, known, steel_recipe, unlabelled

ANY = Filters(unsure=1e9, unsure_empty=1)
"""A network of one epoch is sure of nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a run on them, unlabelled images, and the labels that the run makes of them."""
    folder = tmp_path_factory.mktemp("pseudo")
    train(steel_recipe(folder, SMALL), data=known(folder), out=folder / "run")
    images = unlabelled(folder) / "train_images"
    pseudo([folder / "run"], [images], folder / "labels", filters=ANY, device="cpu")
    return folder


def seen(folder: Path, labels: Path, *changes: str) -> Labels:
    """Open labels for the two folds of a recipe."""
    asked = steel_recipe(folder, SMALL, "stages.main.pseudo.alpha=0", *changes)
    opened = open_data(asked, folder / "known")
    rows = {
        case.id: {"sha256": [digest(Path(case.files[0]))], "fold": fold}
        for case, fold in zip(opened.cases, opened.folds, strict=True)
    }
    return open_labels(opened.recipe, labels, opened, rows, [0, 1])


def test_each_fold_has_labels_by_its_own_member_and_all_by_every_one(folder: Path) -> None:
    made = PseudoLabelFolder.open(folder / "labels").index
    assert {name: one.members for name, one in made.sets.items()} == {
        "all": ("fold0", "fold1"),
        "fold0": ("fold0",),
        "fold1": ("fold1",),
    }
    folds = read_folds(folder / "run" / "folds.csv")
    for case in made.seen:
        others = {f"fold{1 - folds[case.id]}", "all"}
        assert set(case.sets) == others
    assert len(made.seen) == len(folds) == 8


def test_a_sets_answer_is_what_its_members_answer(folder: Path, tmp_path: Path) -> None:
    images = folder / "unlabelled" / "train_images"
    predict([folder / "run"], [images], tmp_path / "pred", device="cpu")
    whole = Predictions.open(tmp_path / "pred")
    sets = [Predictions.open(folder / "labels" / "labels" / name) for name in ("all", "fold0")]
    for id in whole.ids:
        np.testing.assert_allclose(sets[0].prob(id), whole.prob(id), atol=1e-3)
        assert not np.array_equal(sets[1].prob(id), whole.prob(id))


@pytest.mark.parametrize(("labels", "dtype"), [("soft", "float32"), ("hard", "uint8")])
def test_the_cases_of_a_fold_carry_its_labels(folder: Path, labels: str, dtype: str) -> None:
    cases = seen(folder, folder / "labels", f"stages.main.pseudo.labels={labels}").of(1).cases
    assert set(cases) == {labels}
    stored = Predictions.open(folder / "labels" / "labels" / "fold1")
    assert len(cases[labels]) == 4
    for case in cases[labels]:
        assert case.facts["source"] == "pseudo"
        assert case.target is not None
        assert case.target.dtype == dtype
        id = case.id.removeprefix("pseudo/")
        wanted = stored.prob(id) if labels == "soft" else stored.mask(id)
        np.testing.assert_array_equal(read_all(case.target), wanted)


@pytest.mark.parametrize("labels", ["soft", "hard"])
def test_a_run_learns_from_made_labels_and_says_so(
    folder: Path, tmp_path: Path, labels: str
) -> None:
    changes = ("stages.main.pseudo.share=0.25", f"stages.main.pseudo.labels={labels}")
    train(
        steel_recipe(tmp_path, SMALL, *changes),
        data=folder / "known",
        out=tmp_path / "run",
        folds=(0,),
        pseudo=folder / "labels",
    )
    row = json.loads((tmp_path / "run" / "fold0" / "metrics.jsonl").read_text().splitlines()[0])
    assert np.isfinite(row["loss"])
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    kinds = [case.labels for case in bundle.cases.values()]
    assert (kinds.count("given"), kinds.count("pseudo"), kinds.count("behind")) == (8, 4, 0)
    images = folder / "unlabelled" / "train_images"
    found = predict([tmp_path / "run"], [images], tmp_path / "pred", device="cpu")
    assert found.known == {"pseudo": 4}
    other = tmp_path / "labels"
    shutil.copytree(folder / "labels", other)
    made = read_json(other / "pseudo.json")
    del made["seal"]
    write_json(other / "pseudo.json", sealed(made | {"lamina": "x"}))
    again = steel_recipe(tmp_path, SMALL, *changes)
    with pytest.raises(RecipeError, match="began with other pseudo-labels"):
        train(again, data=folder / "known", out=tmp_path / "run", folds=(0,), pseudo=other)


def test_labels_open_dicom_images_as_the_catalog_of_the_run_does(folder: Path) -> None:
    found = seen(folder, folder / "labels", "data.dicom.rescale=false")
    assert found.open_image.__self__.dicom == Dicom(rescale=False)


def test_batches_are_mixed_by_source_in_the_share_asked_for(folder: Path) -> None:
    asked = steel_recipe(folder, SMALL, "stages.main.pseudo.share=0.25", "train.batch=4")
    opened = open_data(asked, folder / "known")
    made = seen(folder, folder / "labels").of(0)
    own = opened.training(0)
    stage, cases = made.mixed(asked.stages[0], own)
    normalise = asked.frame.normalise.fit(own)
    epoch = epoch_of(opened.recipe, opened.task, cases, normalise, stage, 0)
    groups = stage.sampler.groups(len(epoch), stage.batch)
    for group in groups:
        sources = [cases[epoch.draws[i].case].facts.get("source", "train") for i in group]
        assert sorted(sources) == ["pseudo", "train", "train", "train"]
    targets = [epoch[i].target for i in range(len(epoch))]
    assert all(target.dtype == np.float32 for target in targets)
    assert any(((one > 0) & (one < 1)).any() for one in targets)  # soft ones among them


def test_labels_by_members_of_other_folds_are_a_leak_with_the_cases_listed(folder: Path) -> None:
    with pytest.raises(LeakError, match=r"had trained on \d of the cases the fold holds out") as no:
        seen(folder, folder / "labels", "split.seed=2")
    folds = read_folds(folder / "run" / "folds.csv")
    asked = steel_recipe(folder, SMALL, "split.seed=2")
    opened = open_data(asked, folder / "known")
    leaked = {
        case.id
        for case, fold in zip(opened.cases, opened.folds, strict=True)
        if fold == 0 != folds[case.id]
    }
    lines = str(no.value).splitlines()[1:]
    assert {line.strip() for line in lines} == leaked


def test_a_held_out_image_under_another_name_is_still_a_leak(folder: Path) -> None:
    made = PseudoLabelFolder.open(folder / "labels")
    folds = read_folds(folder / "run" / "folds.csv")
    trained = next(case for case in made.index.seen if folds[case.id] == 1)
    with pytest.raises(LeakError, match=f"renamed.png .there {trained.id}."):
        refuse_leaks(made, 0, {"renamed.png": trained.sha256})
    refuse_leaks(made, 1, {"renamed.png": trained.sha256})  # held out by the makers of that set
    with pytest.raises(LeakError, match=trained.id):  # the same name with another content
        refuse_leaks(made, 0, {trained.id: ["00" * 32]})
    with pytest.raises(DataError, match="has no labels for fold 2"):
        refuse_leaks(made, 2, {})


def test_images_with_a_label_are_not_labelled_again(folder: Path, tmp_path: Path) -> None:
    images = folder / "known" / "train_images"
    with pytest.raises(LeakError, match="8 of 8 images have labels in a training of the members"):
        pseudo([folder / "run"], [images], tmp_path / "labels", device="cpu")
    assert not (tmp_path / "labels" / "pseudo.json").exists()


def test_a_run_whose_own_cases_have_made_labels_is_refused(folder: Path, tmp_path: Path) -> None:
    """The images that were unlabelled then are validation images now."""
    with pytest.raises(LeakError, match="4 images with pseudo-labels are cases that this run"):
        train(
            steel_recipe(tmp_path, SMALL, "stages.main.pseudo.alpha=0"),
            data=folder / "unlabelled",
            out=tmp_path / "run",
            pseudo=folder / "labels",
        )


def test_cases_behind_the_labels_are_remembered_as_seen(folder: Path, tmp_path: Path) -> None:
    """A run on other data learns from members that knew ours: ours are no new images to it."""
    write_severstal(tmp_path / "other", count=6, seed=9, shape=SHAPE, first=300)
    train(
        steel_recipe(tmp_path, SMALL, "stages.main.pseudo.alpha=0"),
        data=tmp_path / "other",
        out=tmp_path / "run",
        folds=(0,),
        pseudo=folder / "labels",
    )
    images = folder / "known" / "train_images"
    found = predict([tmp_path / "run"], [images], tmp_path / "pred", device="cpu")
    assert found.known == {"seen": 8}


def test_labels_and_the_recipe_must_both_want_it(folder: Path, tmp_path: Path) -> None:
    asked = steel_recipe(tmp_path, SMALL, "stages.main.pseudo.alpha=-0.15")
    with pytest.raises(RecipeError, match="stage main learns from pseudo-labels; pass --pseudo"):
        train(asked, data=folder / "known", out=tmp_path / "a")
    with pytest.raises(RecipeError, match="no stage uses it"):
        train(
            steel_recipe(tmp_path, SMALL),
            data=folder / "known",
            out=tmp_path / "b",
            pseudo=folder / "labels",
        )


def test_changed_or_missing_labels_are_found_before_training(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    shutil.copytree(folder / "labels", labels)
    table = labels / "labels" / "fold0" / "train.csv"
    text = table.read_text()
    table.write_text(text + "\n")
    with pytest.raises(DataError, match=r"train.csv: missing or changed since"):
        seen(folder, labels).of(0)
    table.write_text(text)
    soft = next((labels / "labels" / "fold0" / "probabilities").glob("*.npy"))
    soft.write_bytes(soft.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="missing or changed since"):
        seen(folder, labels).of(0)
    (labels / "pseudo.json").unlink()
    with pytest.raises(DataError, match=r"no pseudo\.json"):
        seen(folder, labels)


def test_without_labels_a_stage_is_as_it_was(folder: Path) -> None:
    stage = steel_recipe(folder, SMALL).stages[0]
    assert PseudoLabelCases().mixed(stage, []) == (stage, [])
