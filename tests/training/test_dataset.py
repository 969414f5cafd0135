"""Data opened for training: volumes that are slow to slice are read from copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from typer.testing import CliRunner

import lamina
from lamina.bundle import bundle_so_far
from lamina.cli.main import app
from lamina.errors import DataError, LeakError, RecipeError
from lamina.evaluation.score_table import table
from lamina.files import read_json
from lamina.recipe.load import load_recipe
from lamina.training.dataset import open_data
from lamina.volume import read_all
from tests.factories.discs import disc, discs, quick, stopped_run

CUBE = np.random.default_rng(0).integers(0, 256, (6, 16, 16), np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, array in (("raw", CUBE), ("labels", CUBE // 128 * 255)):
        path = tmp_path / "data" / f"{name}.zarr"
        zarr.create_array(path, shape=array.shape, chunks=(2, 8, 8), dtype="u1")[...] = array
    return tmp_path / "data"


@pytest.mark.parametrize(("unpack", "copies"), [("once", 2), ("never", 0)])
def test_packed_volumes_are_unpacked_unless_the_recipe_says_never(
    root: Path, tmp_path: Path, unpack: str, copies: int
) -> None:
    changes = [
        f"data={{kind: volume_pairs, image: raw.zarr, target: labels.zarr, unpack: {unpack}}}",
        "split={kind: sections, train: [[0, 4]], validate: [[4, 6]]}",
    ]
    opened = open_data(load_recipe("volume-laptop", changes), root)
    seen = opened.prepared(tmp_path / "run")
    assert len(list((tmp_path / "run" / "unpacked").glob("*.npy"))) == copies
    assert seen.folds == opened.folds
    spans = [slice(0, 4), slice(4, 6)]
    for case, before, span in zip(seen.cases, opened.cases, spans, strict=True):
        assert case.target is not None
        assert (case.id, case.image.name, case.files) == (
            before.id,
            before.image.name,
            before.files,
        )
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE[span])
        np.testing.assert_array_equal(read_all(case.target)[0], CUBE[span] // 128)


def test_ranges_of_stretched_volumes_are_measured_once_in_a_run(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, array in (("raw", CUBE.astype(np.float32)), ("labels", CUBE // 128 * 255)):
        np.save(root / f"{name}.npy", array)
    changes = [
        "data={kind: volume_pairs, image: raw.npy, target: labels.npy, stretch: {to: byte}}",
        "split={kind: sections, train: [[0, 4]], validate: [[4, 6]]}",
    ]
    recipe = load_recipe("volume-laptop", changes)
    first = open_data(recipe, root).prepared(tmp_path / "run")
    monkeypatch.delattr("lamina.data.views.rescaled.extremes")  # nothing is measured again
    again = open_data(recipe, root).prepared(tmp_path / "run")
    stretched = ((CUBE - CUBE.min()) / np.float32(np.ptp(CUBE)) * 255).astype(np.uint8)
    for opened in (first, again):
        for case, span in zip(opened.cases, (slice(0, 4), slice(4, 6)), strict=True):
            np.testing.assert_array_equal(read_all(case.image)[0], stretched[span])


def test_pairs_that_are_too_far_apart_are_left_out_after_folds_are_assigned(
    tmp_path: Path,
) -> None:
    """NOISE-3: SSIM > 0.7; the folds are those of all pairs."""
    chance = np.random.default_rng(0)
    clean = np.cumsum(chance.standard_normal((8, 12, 40)), axis=-1).astype(np.float32)
    for number in range(4):
        (tmp_path / f"v{number}").mkdir()
        noise = chance.standard_normal(clean.shape) * (50 if number == 1 else 0.1)
        np.save(tmp_path / f"v{number}" / "raw.npy", (clean + noise).astype(np.float32))
        np.save(tmp_path / f"v{number}" / "clean.npy", clean)
    data = "data={kind: volume_pairs, image: raw.npy, target: clean.npy%s}"
    changes = ["task={kind: restore}", "split={kind: folds, count: 2}", "loss=[{kind: mse}]"]
    changes += ["monitor={kind: mse}", "metric={kind: psnr}", "decide={kind: as_is}"]
    every = open_data(load_recipe("volume-laptop", [data % "", *changes]), tmp_path)
    option = data % ", prepare: {kind: quality, above: 0.7}"
    opened = open_data(load_recipe("volume-laptop", [option, *changes]), tmp_path)
    assert [case.id for case in opened.cases] == ["v0", "v2", "v3"]
    assert list(opened.quality) == ["v0", "v1", "v2", "v3"]
    assert opened.quality["v1"] < 0.7 < min(opened.quality[one] for one in ("v0", "v2", "v3"))
    folds = {case.id: fold for case, fold in zip(every.cases, every.folds, strict=True)}
    assert opened.folds == [folds[case.id] for case in opened.cases]
    assert "1 of 4 pairs left out by data.prepare" in opened.lines()[1]


def test_READ_1_files_that_are_not_read_are_said(tmp_path: Path) -> None:
    """Masks as GIF would count as images without the class, were nothing said."""
    for number in range(4):
        for folder, suffix in (("images", "png"), ("masks", "gif" if number < 2 else "png")):
            path = tmp_path / folder / f"{number}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.eye(8, dtype=np.uint8)).save(path)
    changes = ["data.missing=empty", "split.count=2", "data.labels={0: 0, 1: 1, 255: 1}"]
    opened = open_data(load_recipe("folder-laptop", changes), tmp_path)
    (line,) = [line for line in opened.lines() if "not read" in line]
    assert line.startswith("warning: 2 files are not read")
    assert "0.gif is a GIF image; save each of its frames as PNG" in line
    assert len(opened.summary()["not_read"]) == 2


def test_READ_10_pixels_without_data_do_not_count(tmp_path: Path) -> None:
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    image[:3, :5] = -9999
    for number in range(4):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(
            tmp_path / "images" / f"{number}.tif",
            image + number * (image >= 0),
            extratags=[(42113, "s", 0, "-9999", True)],
        )
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    changes = ["split.count=2", "data.labels={0: 0, 1: 1, 255: 1}"]
    opened = open_data(load_recipe("folder-laptop", changes), tmp_path)
    for case in opened.cases:
        assert case.valid is not None
        np.testing.assert_array_equal(read_all(case.valid)[0], image >= 0)
    assert any("4 images have pixels without data" in line for line in opened.warnings())


def all_minus_one(data: Path) -> str:
    rows = "".join(f"{path.stem},-1\n" for path in sorted((data / "images").iterdir()))
    (data / "folds.csv").write_text(f"case,fold\n{rows}", encoding="utf-8")
    return "split.path=folds.csv"


@pytest.mark.parametrize("how", ["file", "count"])
def test_work_11_one_member_learns_from_every_case_where_nothing_is_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """What tune, score and the report then say of it; new images are predicted as ever."""
    data, out = discs(tmp_path / "data", count=4), tmp_path / "run"
    change = all_minus_one(data) if how == "file" else "split.count=1"
    result = lamina.train(quick(tmp_path, change, "train.epochs=2"), data=data, out=out)
    said = capsys.readouterr().err
    assert "one member learns from every case, and there is no held-out score" in said
    assert "all cases: trained; no case is held out" in said
    (fold,) = result.folds
    assert (fold.fold, fold.cases, fold.out_of_fold) == (-1, 0, None)
    bundle = lamina.Bundle.load(result.bundle)
    (member,) = bundle.members
    assert (member.name, member.fold, member.score) == ("all", -1, None)
    assert {case.fold for case in bundle.cases.values()} == {-1}
    rows = (out / "all" / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 2
    assert not any("monitor" in row for row in rows)
    with pytest.raises(DataError, match="nothing was held out, so there are no out-of-fold"):
        lamina.tune(out)
    lamina.predict(out, data / "images", tmp_path / "pred")
    score = lamina.score(tmp_path / "pred", data)
    assert score.known == {"seen": 4}
    assert "4 seen in training: scores are optimistic" in table(score)
    page = lamina.report(out).report.read_text(encoding="utf-8")
    assert "Nothing was held out" in page
    assert "Run lamina tune" not in page
    disc(tmp_path / "new", "new", 99)
    assert lamina.predict(out, tmp_path / "new", tmp_path / "pred2").known == {"new": 1}


def test_work_11_stages_that_follow_one_another_and_averages_work_without_a_held_out_case(
    tmp_path: Path,
) -> None:
    """The last weights of each stage leave it, whatever ``member`` says."""
    data = discs(tmp_path / "data", count=4)
    stages = (
        "stages=[{name: first, member: soup}, {name: second, start: best, carry_best: true,"
        " member: top, keep: 2, patience: 1}]"
    )
    recipe = quick(tmp_path, "split.count=1", "train.epochs=2", stages)
    result = lamina.train(recipe, data=data, out=tmp_path / "run")
    (member,) = result.folds[0].members
    assert (member.stage, member.member, member.epoch) == ("second", "second/last.safetensors", 1)
    again = lamina.train(recipe, data=data, out=tmp_path / "run")
    assert again.folds[0].members == result.folds[0].members


def test_work_11_a_stopped_training_on_all_predicts_with_its_newest_weights(
    tmp_path: Path,
) -> None:
    discs(tmp_path / "data", count=4)
    bundle = bundle_so_far(stopped_run(tmp_path, "split.count=1", fold="all"))
    assert [(member.name, member.fold, member.score) for member in bundle.members] == [
        ("all", -1, None)
    ]


def test_work_11_a_fold_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    data = discs(tmp_path / "data", count=4)
    with pytest.raises(RecipeError, match="holds nothing out; leave --folds out, or set"):
        lamina.train(quick(tmp_path, "split.count=1"), data=data, out=tmp_path / "run", folds=[0])


def test_work_11_the_command_goes_on_with_predict_and_not_with_tune(tmp_path: Path) -> None:
    data, out = discs(tmp_path / "data", count=2), tmp_path / "run"
    quick(tmp_path)
    recipe = str(tmp_path / "quick.yaml")
    command = ["train", recipe, "--data", str(data), "--out", str(out), "-s", "split.count=1"]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0
    assert f"next: lamina predict {out} IMAGES --out pred" in found.output


def test_work_11_weights_trained_on_all_start_no_fold_that_holds_a_case_out(
    tmp_path: Path,
) -> None:
    data, out = discs(tmp_path / "data", count=4), tmp_path / "run"
    lamina.train(quick(tmp_path, "split.count=1"), data=data, out=out)
    recipe = quick(tmp_path, "train.start=bundle")
    with pytest.raises(LeakError, match="no leak-free starting weights for fold 0"):
        lamina.train(recipe, data=data, out=tmp_path / "next", start=out)
    weights = out / "all" / "main" / "last.safetensors"
    with pytest.raises(LeakError, match="has seen 2 of 2 cases that fold 0 holds out"):
        lamina.train(
            quick(tmp_path, f"network.weights={weights}"), data=data, out=tmp_path / "third"
        )


def test_work_12_one_image_trains_by_either_remedy_of_the_message(tmp_path: Path) -> None:
    """Both are followed as they are printed, to tuned masks and a score of the held-out part."""
    data = discs(tmp_path / "data", count=1)
    with pytest.raises(DataError, match="the one case forms only 1 group") as caught:
        lamina.train(quick(tmp_path), data=data, out=tmp_path / "run")
    assert "set split.count to 1, which holds nothing out" in str(caught.value)
    sections = str(caught.value).partition("by -s '")[2].partition("'")[0]
    assert sections == "split={kind: sections, axis: y, train: [[0, 72]], validate: [[72, 96]]}"
    whole = lamina.train(quick(tmp_path, "split.count=1"), data=data, out=tmp_path / "run")
    assert whole.folds[0].fold == -1
    cut = lamina.train(quick(tmp_path, sections), data=data, out=tmp_path / "cut")
    assert (cut.folds[0].fold, cut.folds[0].cases) == (0, 1)
    cases = read_json(tmp_path / "cut" / "data.json")["cases"]
    assert {case["id"]: case["fold"] for case in cases} == {
        "disc0[y0-72]": -1,
        "disc0[y72-96]": 0,
    }
    lamina.tune(tmp_path / "cut")
    lamina.report(tmp_path / "cut")
    lamina.predict(tmp_path / "cut", data / "images", tmp_path / "pred")
    assert lamina.score(tmp_path / "pred", data, part="validate").cases == 1


def test_work_11_sections_may_hold_nothing_out(tmp_path: Path) -> None:
    data = discs(tmp_path / "data", count=1)
    split = "split={kind: sections, axis: y, train: [[0, 96]], validate: []}"
    lamina.train(quick(tmp_path, split), data=data, out=tmp_path / "run")
    lamina.predict(tmp_path / "run", data / "images", tmp_path / "pred")
    with pytest.raises(RecipeError, match=r"split\.validate of this recipe names none"):
        lamina.score(tmp_path / "pred", data, part="validate")


def test_work_11_options_that_follow_scores_are_said_to_have_no_effect(tmp_path: Path) -> None:
    data = discs(tmp_path / "data", count=2)
    changes = ("train.patience=3", "train.schedule={kind: plateau}")
    said = open_data(quick(tmp_path, "split.count=1", *changes), data).warnings()
    assert [line.partition(" follows")[0] for line in said] == [
        "stages.main.schedule",
        "stages.main.patience",
    ]
    assert open_data(quick(tmp_path, *changes), data).warnings() == []
