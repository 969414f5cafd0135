"""The verb: whole or not at all, resumable, with a reason for every image left out."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lamina.bundle import Bundle, KnownCase, Part, join
from lamina.data.readers import open_volume
from lamina.data.tables.csv import read_table
from lamina.data.targets.pseudo_labels import PseudoLabelFolder
from lamina.errors import BundleError, DataError, LeakError, RecipeError
from lamina.files import digest
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.prediction.tiling.averaging import combine
from lamina.pseudo_labels.confidence import Filters
from lamina.pseudo_labels.make import pseudo
from lamina.recipe.recipe import MeanOf
from lamina.result.decisions import Threshold

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

ANY = Filters(unsure=1e9, unsure_empty=1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number, shape in enumerate([(40, 50), (20, 33), (64, 64)]):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"i{number}.png")
    return folder


@pytest.fixture(scope="module")
def bundle(make: Any) -> Bundle:
    cases = {id: KnownCase(sha256=(id * 2,), fold=fold) for fold, id in enumerate("ab")}
    return make.bundle(cases)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def saved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    bundle.save(path / "bundle")
    return path


def members(bundle: Bundle) -> list[Member]:
    return [Member(bundle.network(n), one.normalise) for n, one in enumerate(bundle.members)]


def tree(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "log.txt")
    return {str(p.relative_to(folder)): digest(p) for p in files}


def test_an_ensembles_labels_are_the_weighted_mean_of_its_members(
    make: Any, bundle: Bundle, images: Path, tmp_path: Path
) -> None:
    parts = [Part("one", bundle, 3.0), Part("two", make.bundle(seed=5), 1.0)]
    join(parts, MeanOf(members="root_mean_square")).save(tmp_path / "both")
    pseudo([tmp_path / "both"], [images], tmp_path / "out", filters=ANY, device="cpu")
    predict([tmp_path / "both"], [images], tmp_path / "pred", device="cpu")
    whole = Predictions.open(tmp_path / "out" / "labels" / "all")
    fold0 = Predictions.open(tmp_path / "out" / "labels" / "fold0")
    wanted = Predictions.open(tmp_path / "pred")
    assert fold0.info.cases[0].members == ("one-fold0", "two-fold0", "two-fold1")
    for id in wanted.ids:
        np.testing.assert_allclose(whole.prob(id), wanted.prob(id), atol=1e-3)
        image = open_volume(images / f"{id}.png")
        each = [
            predict_case(image, [member], part.bundle.recipe, device=torch.device("cpu"))
            for part in parts
            for member in members(part.bundle)
        ]
        mean = combine([each[0], each[2], each[3]], [6, 1, 1], "multilabel", "root_mean_square")
        np.testing.assert_allclose(fold0.prob(id), mean, atol=1e-3)


def test_every_image_has_its_figures_and_a_reason(
    saved: Path, images: Path, tmp_path: Path
) -> None:
    found = pseudo([saved], [images], tmp_path / "out", device="cpu", filters=Filters(sure=0.99))
    table = read_table(tmp_path / "out" / "labels" / "all" / "figures.csv")
    assert table.columns == ("ImageId", "class", "area", "unsure", "mean", "kept", "why")
    assert len(table.rows) == 6
    kept = {row.cells[0] for row in table.rows if row.cells[5] == "1"}
    assert found.sets["all"].kept == len(kept) == 0  # an untrained network
    assert all(row.cells[6] for row in table.rows)
    again = pseudo([saved], [images], tmp_path / "out", device="cpu", filters=ANY)
    assert again.sets["all"].kept == 3
    assert again.sets["all"].classes.keys() == {"dot", "line"}


def test_the_table_of_masks_opens_like_any_of_the_competition(
    saved: Path, images: Path, tmp_path: Path
) -> None:
    pseudo([saved], [images], tmp_path / "out", device="cpu", filters=ANY)
    stored = Predictions.open(tmp_path / "out" / "labels" / "all")
    cases = PseudoLabelFolder.open(tmp_path / "out").cases("all", soft=False)
    assert len(cases) == 3
    for case in cases:
        assert case.target is not None
        masks = stored.mask(case.id.removeprefix("pseudo/"))
        areas = [case.facts[f"area_{k}"] for k in range(2)]
        assert areas == masks.sum(axis=(1, 2)).tolist()


def test_a_tuned_decision_draws_only_the_masks_that_no_fold_learns_from(
    bundle: Bundle, images: Path, tmp_path: Path
) -> None:
    """Held-out cases helped to tune it, and their fold must not learn from them."""
    bundle.with_decision(Threshold(threshold=0.3), {}).save(tmp_path / "bundle")
    pseudo([tmp_path / "bundle"], [images], tmp_path / "out", device="cpu", filters=ANY)
    sets = PseudoLabelFolder.open(tmp_path / "out").index.sets
    assert {name: made.decision["threshold"] for name, made in sets.items()} == {
        "all": 0.3,
        "fold0": 0.5,
        "fold1": 0.5,
    }


@pytest.mark.parametrize("passage", [2, 7, 20])
def test_killed_it_is_no_set_of_labels_and_run_again_the_same(
    saved: Path, images: Path, tmp_path: Path, passage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"device": "cpu", "batch": 2, "filters": ANY}
    pseudo([saved], [images], tmp_path / "whole", **options)
    monkeypatch.setenv("LAMINA_FAULT", f"file.before_rename:{passage}")
    child = multiprocessing.get_context("fork").Process(
        target=pseudo, args=([saved], [images], tmp_path / "out"), kwargs=options
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    with pytest.raises(DataError, match=r"no pseudo\.json"):
        PseudoLabelFolder.open(tmp_path / "out")
    pseudo([saved], [images], tmp_path / "out", **options)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_what_cannot_be_labelled_is_said(
    make: Any, saved: Path, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="neither a bundle"):
        pseudo([images], [images], tmp_path / "a", device="cpu")
    own = {"x": KnownCase(sha256=(digest(images / "i1.png"),), fold=0)}
    make.bundle(own).save(tmp_path / "own")
    with pytest.raises(LeakError, match=r"1 of 3 images have labels.*\n.*i1\.png is x"):
        pseudo([tmp_path / "own"], [images], tmp_path / "b", device="cpu")
    task = {"kind": "multiclass", "names": ["none", "one"]}
    make.bundle(task=task, decide={"kind": "argmax"}).save(tmp_path / "classes")
    with pytest.raises(RecipeError, match="its task is multiclass"):
        pseudo([tmp_path / "classes"], [images], tmp_path / "c", device="cpu")
    (tmp_path / "bad.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"bad\.png"):
        pseudo([saved], [tmp_path / "bad.png"], tmp_path / "d", device="cpu")
    assert not (tmp_path / "d").exists()
    pseudo([saved], [images], tmp_path / "e", device="cpu", filters=ANY)
    make.bundle(seed=9).save(tmp_path / "other")
    with pytest.raises(RecipeError, match="other bundles or options"):
        pseudo([tmp_path / "other"], [images], tmp_path / "e", device="cpu")
