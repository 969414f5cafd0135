"""Scores of a small prediction, worked out by hand, and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import label

from lamina.errors import DataError, RecipeError
from lamina.evaluation.score import score, table
from lamina.evaluation.score_result import UnmatchedCases
from lamina.model.metrics import DiceScore, MseScore, TolerantDice
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.rle.codec import encode
from tests.factories.predictions import write_predictions

SHAPE = (4, 6)
Maps = dict[str, NDArray[np.float32]]


def predicted(folder: Path, recipe: Recipe, maps: Maps, known: str = "new") -> Path:
    return write_predictions(folder, recipe, maps, known=known)


def steel_truth(folder: Path, masks: dict[str, NDArray[np.bool_]]) -> Path:
    (folder / "images").mkdir(parents=True)
    rows = ["ImageId,ClassId,EncodedPixels"]
    for name, mask in masks.items():
        cv2.imwrite(str(folder / "images" / name), np.zeros(SHAPE, np.uint8))
        rows += [f"{name},{k + 1},{encode(m, 'severstal')}" for k, m in enumerate(mask) if m.any()]
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    return folder


def box(rows: int, columns: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, np.bool_)
    mask[:rows, :columns] = True
    return mask


@pytest.fixture
def two_images(tmp_path: Path) -> tuple[Path, Path]:
    """a.png: class one is half found; b.png: clean, and class two is seen where nothing is."""
    clean = np.zeros((2, *SHAPE), np.bool_)
    truth = steel_truth(
        tmp_path / "truth", {"a.png": np.stack([box(2, 2), clean[0]]), "b.png": clean}
    )
    prob = {
        "a.png": np.stack([0.9 * box(1, 2), 0.2 * box(1, 1)]).astype(np.float32),
        "b.png": np.stack([0.3 * box(1, 1), 0.6 * box(1, 2)]).astype(np.float32),
    }
    recipe = load_recipe("steel-laptop", ["task.names=[one,two]"])
    return predicted(tmp_path / "pred", recipe, prob), truth


def test_by_hand(two_images: tuple[Path, Path]) -> None:
    found = score(*two_images)
    assert found.value == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
    assert found.baseline_empty == pytest.approx(3 / 4)
    assert found.foreground_dice == pytest.approx(2 * 2 / (4 + 4))
    assert found.foreground_dice_best.value == pytest.approx(2 / 3)
    assert 0.6 <= found.foreground_dice_best.threshold + 1e-3 < 0.9
    assert found.pooled_dice == pytest.approx((2 / 3 + 0) / 2)
    assert found.auc == 1.0
    assert found.cases == 2
    assert "counts as 1" in found.empty_rule
    one, two = found.classes
    assert (one.name, one.images, one.images_predicted) == ("one", 1, 1)
    assert (one.precision, one.recall, one.auc) == (1.0, 0.5, 1.0)
    assert (two.precision, two.recall, two.auc) == (0.0, None, None)


def test_the_table_names_the_metric_the_baseline_and_every_class(
    two_images: tuple[Path, Path],
) -> None:
    text = table(score(*two_images))
    for words in (
        "Dice per image and class",
        "baseline: all-empty prediction",
        "0.7500",
        "one",
        "two",
        "2 not seen in training",
    ):
        assert words in text


def test_the_table_says_whether_the_score_beats_the_baseline(
    two_images: tuple[Path, Path],
) -> None:
    found = score(*two_images)
    assert found.verdict is not None
    assert found.verdict.gap == pytest.approx(found.value - 3 / 4)
    assert (found.verdict.words, found.verdict.over, found.verdict.count) == (
        "no better than",
        "cases",
        2,
    )
    assert "no better than the all-empty baseline (-0.0833, " in table(found)


def test_cases_predicted_out_of_fold_are_compared_over_folds(tmp_path: Path) -> None:
    names = ["a.png", "b.png", "c.png", "d.png"]
    truth = steel_truth(tmp_path / "truth", {name: box(2, 2)[None] for name in names})
    maps = {n: (0.9 * box(1 + k % 2, 2))[None].astype(np.float32) for k, n in enumerate(names)}
    recipe = load_recipe("steel-laptop", ["task.names=[one]"])
    pred = predicted(tmp_path / "pred", recipe, maps, known="held_out")
    header = json.loads((pred / "prediction.json").read_text())
    for number, case in enumerate(header["cases"]):
        case["members"] = [f"fold{number % 2}"]
    del header["seal"]
    (pred / "prediction.json").write_text(json.dumps(header))
    rows = [json.loads(line) for line in (pred / "ledger.jsonl").read_text().splitlines()]
    for row in rows:
        row["members"] = [f"fold{names.index(row['id']) % 2}"]
    (pred / "ledger.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = score(pred, truth).verdict
    assert found is not None
    assert (found.words, found.over, found.count) == ("better than", "folds", 2)
    assert found.gap == pytest.approx((2 / 3 + 1) / 2)
    assert found.standard_error == pytest.approx((1 - 2 / 3) / 2)  # of two folds


def test_work_9_a_single_threshold_below_the_decision_is_no_contradiction(tmp_path: Path) -> None:
    """The decision sets two classes apart, which no threshold for all classes can."""
    truth = steel_truth(tmp_path / "truth", {"a.png": np.stack([box(4, 3), box(0, 0)])})
    noise = 0.8 * ~box(4, 3)
    maps = {"a.png": np.stack([0.5 * box(4, 3), noise]).astype(np.float32)}
    recipe = load_recipe(
        "steel-laptop", ["task.names=[one,two]", "decide={kind: threshold, threshold: [0.4, 0.9]}"]
    )
    found = score(predicted(tmp_path / "pred", recipe, maps), truth)
    assert found.foreground_dice == 1
    assert found.foreground_dice_best.value == pytest.approx(2 / 3)
    (line,) = [
        splitline for splitline in table(found).splitlines() if "best single global" in splitline
    ]
    assert line.endswith("; the decision above also has minimum areas, or a threshold per class")


def test_work_22_predictions_that_are_not_finished_say_so(two_images: tuple[Path, Path]) -> None:
    pred, truth = two_images
    (pred / "ledger.jsonl").unlink()
    with pytest.raises(DataError, match=r"is not finished \(0 of 2 cases\); run the same"):
        score(pred, truth)


def test_predicting_nothing_scores_the_baseline(tmp_path: Path) -> None:
    truth = steel_truth(tmp_path / "truth", {"a.png": box(2, 2)[None], "b.png": box(0, 0)[None]})
    maps = {name: np.zeros((1, *SHAPE), np.float32) for name in ("a.png", "b.png")}
    recipe = load_recipe("steel-laptop", ["task.names=[one]"])
    found = score(predicted(tmp_path / "pred", recipe, maps), truth)
    assert found.value == found.baseline_empty == 0.5
    assert found.auc == 0.5


def test_what_stands_alone_is_counted_and_named(two_images: tuple[Path, Path]) -> None:
    pred, truth = two_images
    cv2.imwrite(str(truth / "images" / "c.png"), np.zeros(SHAPE, np.uint8))
    (truth / "images" / "b.png").unlink()
    found = score(pred, truth)
    assert found.truth_only == UnmatchedCases(1, ("c.png",))
    assert found.prediction_only == UnmatchedCases(1, ("b.png",))
    assert "1 case without a prediction: c.png" in table(found)


def test_ids_without_suffix_are_matched_where_none_is_equal(tmp_path: Path) -> None:
    truth = steel_truth(tmp_path / "truth", {"a.png": box(2, 2)[None]})
    recipe = load_recipe("steel-laptop", ["task.names=[one]"])
    pred = predicted(tmp_path / "pred", recipe, {"a.jpg": box(2, 2)[None].astype(np.float32)})
    assert score(pred, truth).value == 1.0


@pytest.mark.parametrize(
    ("shape", "name", "message"),
    [((2, 4, 6), "z.png", "no case is in both"), ((2, 5, 6), "a.png", r"\(5, 6\).*\(4, 6\)")],
)
def test_other_images_are_refused(
    shape: Any, name: str, message: str, two_images: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = load_recipe("steel-laptop", ["task.names=[one,two]"])
    pred = predicted(tmp_path / "other", recipe, {name: np.zeros(shape, np.float32)})
    with pytest.raises(DataError, match=message):
        score(pred, two_images[1])


def test_a_part_needs_sections(two_images: tuple[Path, Path]) -> None:
    with pytest.raises(RecipeError, match="sections"):
        score(*two_images, part="validate")
    with pytest.raises(RecipeError, match="must be one of all, validate"):
        score(*two_images, part="some")  # type: ignore[arg-type]


def test_only_the_held_out_sections_of_a_volume_count(tmp_path: Path) -> None:
    truth = np.zeros((5, 4, 6), np.uint8)
    truth[:, :2] = 255
    prob = (truth[None] > 0).astype(np.float32)
    prob[:, :3] = 0  # wrong in the sections that trained, right in the others
    for name, volume in (("raw.tif", np.zeros_like(truth)), ("mitochondria.tif", truth)):
        tifffile.imwrite(tmp_path / name, volume, photometric="minisblack")
    recipe = load_recipe("volume-laptop", ["split.train=[[0,3]]", "split.validate=[[3,5]]"])
    id = recipe.data.open(tmp_path, recipe.task).cases[0].id
    pred = predicted(tmp_path / "pred", recipe, {id: prob}, known="partly_seen")
    assert score(pred, tmp_path, part="validate").value == 1.0
    whole = score(pred, tmp_path)
    assert whole.value == pytest.approx(2 * 2 / (2 + 5))
    assert whole.known == {"partly_seen": 1}


def test_work_1_background_of_exclusive_classes_is_no_defect(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    labels = np.zeros(SHAPE, np.uint8)
    labels[:2, :2] = 1
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros(SHAPE, np.uint8))
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), labels)
    recipe = load_recipe(
        "folder-laptop",
        [
            "task.kind=multiclass",
            "task.names=[ground,one]",
            "data.labels=null",
            "decide={kind: argmax}",
            "metric={kind: dice, over: pooled}",
        ],
    )
    one = box(1, 2).astype(np.float32)
    id = recipe.data.open(tmp_path, recipe.task).cases[0].id
    pred = predicted(tmp_path / "pred", recipe, {id: np.stack([1 - one, one])})
    found = score(pred, tmp_path)
    assert found.value == found.foreground_dice == pytest.approx(2 / 3)
    assert found.baseline_empty == 0
    again = score(pred, tmp_path, metric=DiceScore(over="pooled"))
    assert (again.value, again.baseline_empty) == (found.value, 0)
    asked = score(pred, tmp_path, metric=DiceScore(over="pooled", ignore_first=False))
    assert asked.baseline_empty > 0.4
    assert [class_.name for class_ in found.classes] == ["one"]


def fault_volumes(folder: Path, *changes: str) -> tuple[Recipe, list[NDArray[np.bool_]]]:
    """Write volumes in the layout of FAULT-1: one with faults, one without; 70 slices each."""
    truth = np.random.default_rng(7).random((2, 70, 4, 6)) < 0.2
    truth[1] = False
    for name, mask in zip("ab", truth, strict=True):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "seismicCubes_1.npy", np.zeros(mask.shape))
        np.save(folder / name / "fault_1.npy", mask.astype(np.uint8))
    options = [
        "task={kind: multiclass, names: [rock, fault]}",
        "data={kind: volume_pairs, image: seismicCubes*.npy, target: fault*.npy}",
        "data.labels=null",
        "split={kind: folds, count: 2}",
        "frame.slices={axes: zy}",
        "metric={kind: dice, over: image, empty: one, ignore_first: true}",
        "decide={kind: argmax}",
    ]
    return load_recipe("volume-laptop", [*options, *changes]), list(truth)


def probabilities(fault: NDArray[Any]) -> NDArray[np.float32]:
    return np.stack([1 - fault, fault]).astype(np.float32)


def test_the_fault_competition_pools_the_voxels_of_each_volume(tmp_path: Path) -> None:
    """Section 6, Dark side: the mean over volumes of 3-D Dice, both empty = 1 (FAULT-14)."""
    recipe, truth = fault_volumes(tmp_path / "truth")
    guess = np.random.default_rng(8).choice([0.0, 0.5, 1.0], truth[0].shape)
    maps = {"a": probabilities(guess), "b": probabilities(np.full(guess.shape, 0.5))}
    pred = predicted(tmp_path / "pred", recipe, maps)
    found = score(pred, tmp_path / "truth")
    shown = guess > 0.5  # a tie is background
    dice = 2 * (shown & truth[0]).sum() / (shown.sum() + truth[0].sum())
    assert found.value == pytest.approx((dice + 1) / 2)
    assert found.baseline_empty == 0.5
    by_slice = [
        2 * (a & t).sum() / (a.sum() + t.sum()) for a, t in zip(shown, truth[0], strict=True)
    ]
    assert dice != pytest.approx(np.mean(by_slice))


def test_a_volume_in_slabs_scores_like_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, truth = fault_volumes(tmp_path / "truth")
    rng = np.random.default_rng(9)
    maps = {name: probabilities(rng.random(truth[0].shape)) for name in "ab"}
    pred = predicted(tmp_path / "pred", recipe, maps)
    assert len(list(Predictions.open(pred).decided("a"))) == 2
    slabs = score(pred, tmp_path / "truth")
    monkeypatch.setattr(DiceScore, "adds_up", False)
    assert score(pred, tmp_path / "truth") == slabs


def test_another_metric_may_be_named(tmp_path: Path) -> None:
    recipe, truth = fault_volumes(tmp_path / "truth")
    moved = np.roll(truth[0], 1, axis=2)
    moved[..., 0] = truth[0][..., 0]
    maps = {"a": probabilities(moved), "b": probabilities(truth[1])}
    pred = predicted(tmp_path / "pred", recipe, maps)
    metric = TolerantDice(tolerance=1, over="image", ignore_first=True)
    found = score(pred, tmp_path / "truth", metric=metric)
    plain = score(pred, tmp_path / "truth").value
    assert found.metric.startswith("Dice within 1 pixels per image")
    assert plain < found.value <= 1
    assert found.pooled_dice == score(pred, tmp_path / "truth").pooled_dice
    with pytest.raises(RecipeError, match=r"mse is for values, and task\.kind is multi"):
        score(pred, tmp_path / "truth", metric=MseScore())


def test_held_out_sections_are_cut_out_of_slabs(tmp_path: Path) -> None:
    sections = "split={kind: sections, axis: z, train: [[0,10]], validate: [[50,68], [20,30]]}"
    recipe, truth = fault_volumes(tmp_path / "truth", sections)
    rng = np.random.default_rng(10)
    maps = {name: probabilities(rng.random(truth[0].shape)) for name in "ab"}
    pred = predicted(tmp_path / "pred", recipe, maps, known="partly_seen")
    found = score(pred, tmp_path / "truth", part="validate")
    values = []
    for name, true in zip("ab", truth, strict=True):
        for at in (slice(50, 68), slice(20, 30)):
            shown = maps[name][1, at].astype(np.float16) > maps[name][0, at].astype(np.float16)
            values.append(2 * (shown & true[at]).sum() / (shown.sum() + true[at].sum()))
    assert found.value == pytest.approx(np.mean(values))
    assert found.cases == 4


def test_memory_does_not_grow_with_the_depth_of_a_volume(tmp_path: Path) -> None:
    """M03."""

    def peak(depth: int) -> int:
        recipe, _ = fault_volumes(tmp_path / f"{depth}")
        shape = (depth, 48, 48)
        truth = np.zeros(shape, np.uint8)
        truth[:, 20] = 1
        np.save(tmp_path / f"{depth}" / "a" / "seismicCubes_1.npy", np.zeros(shape, np.uint8))
        np.save(tmp_path / f"{depth}" / "a" / "fault_1.npy", truth)
        pred = predicted(tmp_path / f"pred{depth}", recipe, {"a": probabilities(truth > 0)})
        tracemalloc.start()
        assert score(pred, tmp_path / f"{depth}").value == 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(64)
    assert peak(512) < peak(128) * 1.1


def test_tables_by_size_and_by_group(two_images: tuple[Path, Path]) -> None:
    plain, both = score(*two_images), score(*two_images, by=["size", "group"])
    assert (plain.by_size, plain.by_group) == (None, None)
    assert "by_size" not in plain.to_dict()
    assert both.by_size is not None
    assert both.by_group is not None
    one, two = both.by_size
    assert (one.name, one.objects, one.found, one.recall, one.predicted, one.right) == (
        *("one", 1, 1, 0.5, 1, 1),
    )
    assert (two.objects, two.recall, two.predicted, two.right) == (0, None, 1, 0)
    assert [(row.group, row.cases, row.value) for row in both.by_group] == [
        ("b.png", 1, pytest.approx(0.5)),
        ("a.png", 1, pytest.approx((2 / 3 + 1) / 2)),
    ]
    text = table(both)
    rows = [line.split() for line in text.splitlines()]
    assert ["one", "1", "to", "9", "1", "1", "0.5000", "1", "1"] in rows
    assert ["a.png", "1", "0.8333", "0.5000"] in rows
    assert "every case is a group of its own" in text
    stored = both.to_dict()
    assert [row["group"] for row in stored["by_group"]] == ["b.png", "a.png"]
    assert stored["by_size"][0]["least"] == 1
    assert both.value == plain.value


def test_what_a_score_cannot_be_broken_down_by_is_refused(two_images: tuple[Path, Path]) -> None:
    with pytest.raises(RecipeError, match="--by is 'case'; it must be one of size, group"):
        score(*two_images, by=["case"])


def test_sizes_of_volumes_are_of_whole_volumes(tmp_path: Path) -> None:
    """An object that goes through several slabs is one."""
    recipe, truth = fault_volumes(tmp_path / "truth")
    post = np.zeros(truth[0].shape, np.float32)
    post[:, 1, 2] = 1
    maps = {name: probabilities(post) for name in "ab"}
    pred = predicted(tmp_path / "pred", recipe, maps)
    assert len(list(Predictions.open(pred).decided("a"))) == 2
    found = score(pred, tmp_path / "truth", by=["size"]).by_size
    assert found is not None
    assert [(row.least, row.predicted, row.right) for row in found if row.predicted] == [(10, 2, 1)]
    count = label(truth[0], np.ones((3, 3, 3)))[1]
    assert sum(row.objects for row in found) == count
