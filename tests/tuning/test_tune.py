"""Tuning a run: triplets by the command's word, what is written down, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.bundle import Bundle
from lamina.data.targets.ground_truth import truth
from lamina.errors import RecipeError
from lamina.model.metrics import AnyMetric
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.prediction.uncertainty.stored import StoredUncertainty
from lamina.recipe.recipe import Recipe
from lamina.reporting.page import report
from lamina.result.calibration import Calibration, calibrated
from lamina.result.decisions import Expected, Threshold, Triplet
from lamina.result.decisions.base import per_class
from lamina.result.search.threshold import Tables
from lamina.result.search.triplet.search import TripletTables
from lamina.spec import kinds_of
from lamina.training.dataset import open_data
from lamina.training.ensembles.ensemble import ensemble
from lamina.training.run import train
from lamina.tuning.tune import table, tune
from tests.factories.training import known, steel_recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    train(steel_recipe(folder), data=known(folder), out=folder / "run")
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_tuned_with_triplets_by_the_word_of_the_command(run: Path) -> None:
    """SIIM-23."""
    found = tune(run, decision="triplet")
    decision = Bundle.load(run / "bundle").decision
    assert isinstance(decision, Triplet)
    assert found.decision == decision
    scores = found.scores
    assert scores["tuned"] >= scores["baseline_empty"]
    assert scores["best"] >= max(scores["threshold"], scores["at_half"], scores["flat"]) - 1e-9
    assert {"best_nested", "flat_nested"} <= set(scores)
    json.dumps(found.to_dict(), allow_nan=False)
    text = table(found)
    assert "257 upper and 257 lower thresholds (steps of 1/256) with all areas" in text
    assert "chosen: flat, among triplets within 0.01 of the best" in text
    page = report(run).report.read_text(encoding="utf-8")
    assert "Flat: among triplets at most 0.01 below it" in page
    assert "half to double the area" in page


def test_the_table_names_scores_baseline_and_verdict(run: Path) -> None:
    found = tune(run, decision="threshold")
    text = table(found)
    assert found.verdict is not None
    assert found.verdict.over == "folds"
    assert found.verdict.gap == pytest.approx(
        found.scores["nested"] - found.scores["baseline_empty"]
    )
    for words in (
        "decision kept, on the same cases",
        "threshold 0.5",
        "baseline: all-empty prediction",
        "too few groups for an interval",
        "foreground Dice (all classes merged)",
        "min component",
    ):
        assert words in text


def test_the_kind_can_be_turned_back(run: Path) -> None:
    tune(run, decision="triplet")
    before = tune(run, decision="threshold")
    assert isinstance(Bundle.load(run / "bundle").decision, Threshold)
    assert tune(run, decision="threshold") == before
    with pytest.raises(RecipeError, match="--decision is 'argmax'; it must be one of default"):
        tune(run, decision="argmax")


def with_recipe(run: Path, **changes: Any) -> Recipe:
    """Write other parts of the recipe into the bundle of a run; its answers stay."""
    bundle = Bundle.load(run / "bundle")
    values = bundle.recipe.model_dump(mode="json") | changes
    recipe = Recipe.model_validate(values)
    replace(bundle, index=bundle.index.model_copy(update={"recipe": recipe})).save(run / "bundle")
    return recipe


def judged(run: Path, recipe: Recipe) -> Iterator[tuple[Any, Any, int]]:
    """Yield probabilities, truth and fold of every held-out case."""
    opened = open_data(recipe, run.parent / "known")
    for fold in opened.numbers:
        predictions = Predictions.open(run / f"fold{fold}" / "oof")
        for case in opened.held_out(fold):
            yield predictions.prob(case.id), truth(case, recipe.task)[0], fold


METRICS = [
    {"kind": "dice"},
    {"kind": "dice", "over": "image", "empty": "skip"},
    {"kind": "f_beta", "over": "pooled", "empty": "zero"},
    {"kind": "iou", "over": "foreground"},
    {"kind": "precision"},
    {"kind": "recall", "over": "pooled"},
    {"kind": "tolerant_dice", "tolerance": 2, "over": "image"},
    {"kind": "hd95"},
    {"kind": "nsd", "over": "image"},
]


def test_every_kind_of_metric_is_tried_or_refused() -> None:
    """Whoever adds a metric says in ``aim`` what tune does with it; here it is tried."""
    refused = {"average_precision", "mse", "psnr", "ssim", "soft_dice"}
    assert {str(one["kind"]) for one in METRICS} | refused == set(kinds_of(AnyMetric))


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: "-".join(map(str, one.values())))
def test_what_is_told_is_the_metric_of_the_decision_found(
    run: Path, trained: Path, metric: dict[str, Any]
) -> None:
    recipe = with_recipe(run, metric=metric)
    found = tune(run)
    decide = Bundle.load(run / "bundle").decision
    cases = list(judged(trained, recipe))
    score = recipe.metric
    for name, masks in {
        "tuned": [decide(prob) for prob, _, _ in cases],
        "at_half": [prob > 0.5 for prob, _, _ in cases],
        "baseline_empty": [prob > 1 for prob, _, _ in cases],
    }.items():
        tallies = [score.tally(m, t) for m, (_, t, _) in zip(masks, cases, strict=True)]
        wanted = score.score(tallies)
        assert found.scores[name] == pytest.approx(wanted.value, abs=1e-12)
        classes = [class_.metric[name] for class_ in found.classes.values()]
        assert classes == pytest.approx(list(wanted.classes), abs=1e-12)
    first, second, *rest = table(found).splitlines()
    assert first == score.title
    assert found.selection.scored == found.aim.label
    assert second.split()[-1] == f"{found.scores['tuned']:.4f}"
    counted_otherwise = ("precision", "recall", "tolerant_dice", "hd95", "nsd")
    said = any(line.startswith("  optimised: Dice, since ") for line in rest)
    assert said == (metric["kind"] in counted_otherwise)


@pytest.mark.parametrize("word", ["threshold", "single"])
@pytest.mark.parametrize("over", ["image", "image_class"])
def test_the_table_shows_the_numbers_of_the_decision_beside_its_scores(
    run: Path, over: str, word: str
) -> None:
    recipe = with_recipe(run, metric={"kind": "dice", "over": over})
    found = tune(run, decision=word)
    assert found.scores["tuned"] >= found.scores["at_half"]  # type: ignore[operator]
    text = table(found)
    decide = Bundle.load(run / "bundle").decision
    assert isinstance(decide, Threshold)
    count = recipe.task.outputs
    wanted = zip(
        per_class(decide.threshold, count, "threshold"),
        per_class(decide.min_area, count, "min_area"),
        strict=True,
    )
    rows = [line.split() for line in text.splitlines() if line.startswith("  class_")]
    assert [row[1:3] for row in rows] == [[f"{a:.4f}", str(b)] for a, b in wanted]


def test_work_4_without_evidence_the_default_is_kept_and_the_cost_of_another_is_said(
    run: Path,
) -> None:
    """WORK-4, WORK-25: eight images of eight groups say too little to leave the default."""
    found = tune(run)
    choice = found.selection
    assert (choice.chosen, choice.forced, choice.groups) == ("default", False, 8)
    decision = Bundle.load(run / "bundle").decision
    assert isinstance(decision, Threshold)
    assert decision.min_area == 0
    assert decision.threshold in (0.5, 1.0)
    assert found.scores["tuned"] == pytest.approx(
        max(found.scores["at_half"], found.scores["baseline_empty"])  # type: ignore[type-var]
    )
    assert choice.sentence.endswith("the default is kept")
    named = [candidate.name for candidate in choice.candidates]
    assert named == ["default", "0.5 or nothing, by class", "expected", "threshold"]
    assert [baseline.name for baseline in choice.baselines] == [
        "threshold 0.5",
        "nothing predicted",
    ]
    assert choice.sentence in table(found)
    forced = tune(run, decision="threshold").selection
    assert forced.forced
    assert "threshold, as asked, " in forced.sentence
    assert "on groups left out against the default" in forced.sentence
    kept = {one.name: one for one in forced.candidates}
    assert kept["threshold"].apparent >= kept["default"].apparent
    written = json.loads((run / "tune.json").read_text())["selection"]
    assert written["sentence"] == forced.sentence


def test_work_4_the_expected_decision_is_written_read_and_decides(run: Path) -> None:
    found = tune(run, decision="expected")
    decision = Bundle.load(run / "bundle").decision
    assert isinstance(decision, Expected)
    assert decision == found.decision
    assert len(decision.classes) == len(found.classes)
    assert (decision.false_positive, decision.empty, decision.exclusive) == (0.5, "one", False)
    text = table(found)
    assert "logit calibration" in text
    page = report(run).report.read_text(encoding="utf-8")
    for words in (
        "Decisions compared",
        found.selection.coverage,
        "Calibration of probabilities",
        "Least certain cases",
        "risk and coverage",
        "Found by the search, not used: the decision kept is “expected”",
    ):
        assert words in page
    for one in found.reliability.values():
        assert 0 <= one.after.error <= 1


def test_work_25_a_class_whose_maps_rank_no_better_than_chance_is_named(run: Path) -> None:
    found = tune(run)
    low = [name for name, one in found.classes.items() if (one.to_dict()["auc"] or 1) < 0.5]
    notes = " ".join(found.selection.notes)
    assert low
    for name in low:
        assert f"{name}: image AUC" in notes


def test_work_25_one_trained_fold_is_judged_by_the_groups_within_it(run: Path) -> None:
    shutil.rmtree(run / "fold1" / "oof")
    found = tune(run)
    assert found.scores["nested"] is None
    assert found.selection.groups == 4
    assert found.selection.sentence.endswith("the default is kept")


def overconfident(run: Path, seed: int = 0) -> None:
    """Replace the out-of-fold maps by ones that promise far too much, alike in all images."""
    recipe = Bundle.load(run / "bundle").recipe
    rng = np.random.default_rng(seed)
    opened = open_data(recipe, run.parent / "known")
    for fold in opened.numbers:
        predictions = Predictions.open(run / f"fold{fold}" / "oof")
        for case in opened.held_out(fold):
            target, _ = truth(case, recipe.task)
            logit = rng.normal(-1, 1, target.shape) + 3 * target
            prob = 1 / (1 + np.exp(-2 * logit - 3))
            predictions.add(case.id, prob.astype(np.float32))


def test_calibration_is_stored_with_the_members_and_undone_by_the_next_tune(
    run: Path, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained.parent / "known", tmp_path / "known", dirs_exist_ok=True)
    overconfident(run)
    before = Bundle.load(run / "bundle")
    found = tune(run, decision="threshold", calibrate="platt")
    after = Bundle.load(run / "bundle")
    assert after.calibration == found.calibration
    assert any(curve.shift < -0.5 for curve in found.calibration)
    assert all(member.calibration == found.calibration for member in after.members)
    assert after.digest() != before.digest()
    assert after.weights_digest() == before.digest()
    decide = found.decision
    metric = before.recipe.metric
    tallies, errors = [], []
    fitted = [k for k, curve in enumerate(found.calibration) if not curve.is_identity]
    for prob, target, _ in judged(run, before.recipe):
        moved = calibrated(prob, found.calibration, exclusive=False)
        tallies.append(metric.tally(decide(moved.astype(np.float16)), target))
        share = target[fitted].mean()
        errors.append([p[fitted].mean() - share for p in (prob.astype(float), moved)])
    assert found.scores["tuned"] == pytest.approx(metric.score(tallies).value)
    stored, now = np.mean(errors, axis=0)
    assert stored > 0.3
    assert abs(now) < stored / 2
    assert any("probabilities calibrated: logit x" in note for note in found.selection.notes)
    assert report(run).report.is_file()
    again = tune(run)
    assert again.calibration == ()
    assert Bundle.load(run / "bundle").digest() == before.digest()


def test_images_are_predicted_through_the_curves_of_the_bundle(run: Path, tmp_path: Path) -> None:
    images = run.parent / "known"
    shutil.copytree(known(tmp_path / "source"), images, dirs_exist_ok=True)
    plain = predict(run, images / "train_images", tmp_path / "plain", progress=False)
    curves = tuple(Calibration(slope=0.8, shift=-1 - k) for k in range(3))
    Bundle.load(run / "bundle").with_calibration(curves).save(run / "bundle")
    moved = predict(run, images / "train_images", tmp_path / "moved", progress=False)
    assert dict(moved.known) == dict(plain.known) == {"held_out": 8}
    one, two = (Predictions.open(tmp_path / name) for name in ("plain", "moved"))
    for id in one.ids:
        wanted = calibrated(one.prob(id), curves, exclusive=False)
        np.testing.assert_allclose(two.prob(id), wanted, atol=2e-3)
    with pytest.raises(RecipeError, match="holds predictions of other bundles"):
        predict(run, images / "train_images", tmp_path / "plain", progress=False)


def test_a_tuned_run_says_what_to_expect_of_new_images(run: Path, tmp_path: Path) -> None:
    tune(run, decision="default")
    images = known(tmp_path / "new", count=3) / "train_images"
    out = tmp_path / "pred"
    found = predict(run, images, out, uncertainty=True, members="all", progress=False)
    assert found.cases == 3
    predictions = Predictions.open(out)
    stored = StoredUncertainty(predictions)
    outlook = Bundle.load(run / "bundle").index.outlook
    assert outlook is not None
    for id in predictions.ids:
        rows = predictions.case(id).outlook
        wanted = outlook.outlook([predictions.prob(id)])
        assert [(row.presence, row.expected) for row in rows] == wanted
        assert all(row.agreement is not None and 0 <= row.agreement <= 1 for row in rows)
        assert stored.map(id).shape == (2 * len(rows), *predictions.case(id).shape)
    again = predict(run, images, out, uncertainty=True, members="all", progress=False)
    assert (again.kept, again.predicted) == (3, 0)
    assert Predictions.open(out).info == predictions.info
    stored.path(predictions.ids[0]).unlink()
    mended = predict(run, images, out, uncertainty=True, members="all", progress=False)
    assert (mended.kept, mended.predicted) == (2, 1)
    with pytest.raises(RecipeError, match="uncertainty"):
        predict(run, images, out, members="all", progress=False)


def test_a_calibration_that_is_not_known_is_refused(run: Path) -> None:
    with pytest.raises(RecipeError, match="--calibrate is 'temperature'; it must be one of none"):
        tune(run, calibrate="temperature")


@pytest.mark.parametrize("over", [pytest.param("pooled", marks=pytest.mark.slow), "image_class"])
def test_every_candidate_can_be_kept_whatever_the_scope(run: Path, over: str) -> None:
    """Minimum components are searched too, and pooled scores have one threshold by expectation."""
    metric = {"kind": "dice", "over": over}
    with_recipe(run, metric=metric, decide={"kind": "threshold", "min_component": 1})
    for word in ("default", "expected", "threshold", "single", "triplet"):
        found = tune(run, decision=word)
        assert (found.selection.chosen, found.selection.forced) == (word, True)
        kind = {"triplet": Triplet}.get(word, Threshold)
        if (word, over) == ("expected", "image_class"):
            kind = Expected
        assert isinstance(found.decision, kind)
        kept = next(candidate for candidate in found.selection.candidates if candidate.name == word)
        # the choice is made in few bins, the decision on all values
        assert kept.apparent == pytest.approx(found.scores["tuned"], abs=0.02)


def test_metrics_that_merge_classes_say_that_there_is_no_expected_score(run: Path) -> None:
    with_recipe(run, metric={"kind": "dice", "over": "image"})
    found = tune(run)
    assert "the metric merges classes" in " ".join(found.selection.notes)
    with pytest.raises(RecipeError, match="suits neither this task nor this metric"):
        tune(run, decision="expected")


def test_each_fold_is_judged_by_what_the_others_chose(run: Path, trained: Path) -> None:
    recipe = with_recipe(run, metric={"kind": "recall"})
    cases = list(judged(trained, recipe))
    for word in ("threshold", "single", "triplet"):
        found = tune(run, decision=word)
        tallies = []
        for prob, target, fold in cases:
            alone: Tables | TripletTables = (
                Tables(len(target)) if word != "triplet" else TripletTables(len(target))
            )
            for other, shown, one in cases:
                if one != fold:
                    alone.add(other, shown)
            best = alone.best(recipe.metric.aim(len(target)))
            decide = best.single() if word == "single" else best.decision()  # type: ignore[union-attr]
            tallies.append(recipe.metric.tally(decide(prob), target))
        assert found.scores["nested"] == pytest.approx(recipe.metric.score(tallies).value)


@pytest.mark.parametrize("metric", ["mse", "psnr", "ssim", "soft_dice"])
def test_a_metric_that_no_decision_changes_is_refused(run: Path, metric: str) -> None:
    with_recipe(run, metric={"kind": metric})
    with pytest.raises(RecipeError, match=r"no decision (to tune|changes)"):
        tune(run)
    assert not (run / "tune.json").exists()


def test_a_decision_without_numbers_is_refused_and_stays(run: Path) -> None:
    with_recipe(run, decide={"kind": "argmax"})
    before = (run / "bundle" / "bundle.json").read_bytes()
    with pytest.raises(RecipeError, match=r"decision argmax takes the most probable .* leave tune"):
        tune(run)
    assert (run / "bundle" / "bundle.json").read_bytes() == before


def test_a_blend_is_the_weighted_sum_of_the_maps(trained: Path, tmp_path: Path) -> None:
    """SIIM-28: .4/.2/.2/.2 of four experiments; each map stays a probability."""
    weights = [0.4, 0.2, 0.2, 0.2]
    runs = []
    rng = np.random.default_rng(1)
    for number in range(4):
        runs.append(tmp_path / f"run{number}")
        shutil.copytree(trained, runs[-1])
        for folder in runs[-1].glob("fold*/oof"):
            stored = Predictions.open(folder)
            for id in stored.ids:
                stored.add(id, rng.random(stored.prob(id).shape, np.float32))
    found = ensemble(runs, tmp_path / "blend", weights=weights)
    assert found.answers == {"4": 8}
    for fold in (0, 1):
        blend = Predictions.open(tmp_path / "blend" / f"fold{fold}" / "oof")
        alone = [Predictions.open(one / f"fold{fold}" / "oof") for one in runs]
        for id in blend.ids:
            wanted = sum(
                weight * one.prob(id).astype(np.float64)
                for weight, one in zip(weights, alone, strict=True)
            )
            np.testing.assert_allclose(blend.prob(id), wanted, atol=5e-4)  # float16
