"""The page of a small run: what it shows, that names are text, that nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lamina.data.prepare.pair_quality import write_quality
from lamina.errors import DataError
from lamina.evaluation.score import score
from lamina.files import write_json
from lamina.recipe.load import load_recipe
from lamina.reporting import page as page_module
from lamina.reporting.judged_cases import ScoredCase, judge
from lamina.reporting.page import report
from lamina.reporting.run_contents import Run
from lamina.training.run import train
from tests.factories.discs import discs, quick
from tests.factories.predictions import copied_predictions


class Tags(HTMLParser):
    """Collects tags and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return tags


def test_the_page_is_offline_and_small_and_names_are_text(run_folder: Path) -> None:
    path = report(run_folder).report
    assert path == run_folder / "report.html"
    assert path.stat().st_size < page_module.LARGEST
    found = read(path)
    assert "script" not in found.tags
    assert "i" in found.tags  # legend dots, none of them from a class name
    assert all(address.startswith(("data:image/", "#")) for address in found.addresses)
    assert "<b>&$x.png" in found.text
    assert "<i>pit</i>" in found.text
    assert "url(" not in path.read_text(encoding="utf-8")


def judged(folder: Path) -> Sequence[ScoredCase]:
    run = Run.open(folder)
    return judge(run, run.cases()).cases


def test_the_verdict_comes_first_in_order_and_commands_make_the_run_again(run_folder: Path) -> None:
    found = read(report(run_folder).report)
    assert found.text.index("95 % interval of the difference") < found.text.index(
        "Scores of held-out cases"
    )
    text = (run_folder / "report.html").read_text(encoding="utf-8")
    order = ["verdict", "scores", "decisions", "thresholds"]
    order += ["worst", "misses", "random", "training", "data", "recipe"]
    assert re.findall(r'<section id="(\w+)"', text) == order
    linked = re.findall(r'<a href="#(\w+)">', text.split("<main>")[0])
    assert [one for one in order if one in linked] == linked
    command = re.search(r"lamina train (\S+) --data (\S+) --out NEW", text)
    assert command is not None
    recipe = load_recipe(command[1])
    assert recipe.digest() == Run.open(run_folder).recipe.digest()
    assert Path(command[2]).is_dir()


def test_numbers_are_those_of_the_command(run_folder: Path, tmp_path: Path) -> None:
    """Every number of the table of classes, and the tiles above it, as ``lamina score`` says."""
    decision = Run.open(run_folder).decision
    pred = copied_predictions(run_folder, tmp_path / "pred", decision=decision)
    wanted = score(pred, tmp_path / "data", index=tmp_path / "index.jsonl")
    text = report(run_folder).report.read_text(encoding="utf-8")
    scores = text[text.index('<section id="scores"') : text.index("By fold")]
    tiles = re.findall(r'<div class="tile[^"]*"><b>([^<]*)</b>', scores)
    merged = [wanted.foreground_dice, wanted.auc]
    assert tiles == [f"{value:.4f}" for value in (wanted.value, wanted.baseline_empty, *merged)]
    table = [re.findall(r"<td>([^<]*)</td>", row) for row in re.findall(r"<tr>(.*)</tr>", scores)]
    said = [
        [one.value, one.pooled_dice, one.precision, one.recall, one.auc] for one in wanted.classes
    ]
    counts = [[str(one.images), str(one.images_predicted)] for one in wanted.classes]
    rows = [
        [*("–" if value is None else f"{value:.4f}" for value in row), *two]
        for row, two in zip(said, counts, strict=True)
    ]
    assert [row[1:] for row in table if len(row) == 8] == rows


def test_figures_are_written_and_linked(run_folder: Path) -> None:
    plain = report(run_folder)
    assert plain.figures == 0
    found = report(run_folder, figures=True)
    links = [one for one in read(found.report).addresses if one.startswith("figures/")]
    assert len(links) == 2 * found.figures > 0
    assert all((run_folder / link).is_file() for link in links)
    numbers = (run_folder / "figures" / "training-loss.csv").read_text(encoding="utf-8")
    assert numbers.startswith("fold,curve,epoch,value\nfold0,loss,1,")


def test_it_shows_scores_by_size_of_objects(run_folder: Path) -> None:
    """True objects are 240 pixels; groups are shown where one has several cases."""
    found = read(report(run_folder).report)
    # of 2 true objects one is found, by 19 of its 20 columns; of 2 predicted ones one is right
    assert "<i>pit</i>100 to 999210.475021" in found.text
    assert "By group" not in found.text


def test_it_shows_scores_folds_thresholds_curves_and_cases(run_folder: Path) -> None:
    found = read(report(run_folder).report)
    for words in ("Scores of held-out cases", "By fold", "Thresholds", "monitor", "every value"):
        assert words in found.text
    cases = found.text[found.text.index("Worst cases") :]
    assert re.findall(r"[a-e]\.png", cases)[:2] in (["b.png", "e.png"], ["e.png", "b.png"])
    # 3 panels of the cases with errors, of false alarms, of misses and of 6 at random; of each
    # class the score over thresholds and precision over recall; scores by class; monitor, loss
    # and learning rate
    scored = judged(run_folder)
    alarms = sum(one.pixels[1] > 0 == one.pixels[2] for one in scored)
    missed = sum(one.pixels[2] > 0 == one.pixels[0] for one in scored)
    shown = sum(one.wrong > 0 for one in scored) + alarms + missed + 6
    assert found.tags.count("img") == 3 * shown + 2 * 2 + 1 + 3


def test_the_same_run_gives_the_same_bytes(run_folder: Path, tmp_path: Path) -> None:
    first = report(run_folder, tmp_path / "one.html").report.read_bytes()
    assert report(run_folder, tmp_path / "two.html").report.read_bytes() == first


def test_without_data_or_tuning_the_page_says_what_is_missing(run_folder: Path) -> None:
    (run_folder / "tune.json").unlink()
    (run_folder.parent / "data").rename(run_folder.parent / "moved")
    text = read(report(run_folder).report).text
    assert "is missing: no pictures" in text
    assert "Run lamina tune" in text
    assert "Worst cases" not in text
    moved = report(run_folder, data=run_folder.parent / "moved")
    assert "Worst cases" in read(moved.report).text


def test_a_volume_shows_planes_through_its_worst_place(volume_run: Path) -> None:
    found = read(report(volume_run).report)
    assert "raw[z3-6]" in found.text
    assert "3 × 20 × 24 · mitochondria · 100 voxels wrong" in found.text
    assert "z = 4: truth filled, prediction outlined" in found.text
    assert "always in training" in found.text


def test_restored_values_have_scores_and_pictures_and_no_thresholds(restored_run: Path) -> None:
    found = read(report(restored_run).report)
    assert "By fold" in found.text
    assert "Worst cases" in found.text
    assert "Thresholds and" not in found.text


def test_pairs_left_out_are_told_and_nothing_is_to_be_tuned(restored_run: Path) -> None:
    """NOISE-3."""
    text = read(report(restored_run).report).text
    assert "of 3 left out" not in text
    (restored_run / "tune.json").unlink(missing_ok=True)
    values = {"a": 0.9, "b": 0.75, "c": 0.25}
    write_quality(restored_run / "quality.csv", values, {"a", "b"})
    text = read(report(restored_run).report).text
    assert "1 of 3 left out; similarities from 0.250 to 0.900, median 0.750" in text
    assert "lamina tune" not in text


def test_pictures_shrink_until_the_page_fits(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = report(run_folder).bytes
    monkeypatch.setattr(page_module, "LARGEST", large)
    monkeypatch.setattr(page_module, "_SIDES", (520, 24))
    assert report(run_folder).bytes < large


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name a run folder"):
        report(tmp_path)


def test_trust_2_the_page_says_what_is_missing_or_cut(run_folder: Path) -> None:
    """TRUST-2: a missing data.json, env.json or log, and lines or epochs that are lost."""
    text = read(report(run_folder).report).text
    assert "fold0/metrics.jsonl: 1 of 10 lines are cut or damaged" in text  # as a crash leaves it
    assert "is missing" not in text
    for name in ("data.json", "env.json", "recipe.resolved.yaml"):
        (run_folder / name).unlink()
    log = run_folder / "fold0" / "metrics.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    write_json(run_folder / "fold0/state/00000009/position.json", {"rows": 9})
    write_json(run_folder / "fold1/state/00000009/position.json", {"rows": 9})
    (run_folder / "fold1/metrics.jsonl").unlink()
    text = read(report(run_folder).report).text
    assert "data.json is missing: the facts about the data are left out" in text
    assert "env.json is missing: device and versions are unknown" in text
    assert "recipe.resolved.yaml is missing" in text
    assert "fold0/metrics.jsonl: ends after 4 of 9 epochs" in text
    assert "fold1/metrics.jsonl is missing" in text
    assert "Worst cases" not in text
    found = report(run_folder, data=run_folder.parent / "data")  # the remedy that is named
    assert "Worst cases" in read(found.report).text


def test_trust_2_damaged_held_out_answers_are_refused(run_folder: Path) -> None:
    """TRUST-2: scores and pictures come from answers as they were written."""
    path = run_folder / "fold0" / "oof" / "probabilities" / "a.png.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(DataError, match=r"a\.png\.npy: does not match .*`lamina train`"):
        report(run_folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("train.epochs=2",), True),
        (("train.epochs=2", "train.member=last"), False),
        (("train.epochs=2", "train.validate_every=2"), False),
    ],
)
def test_work_24_the_page_says_where_the_monitor_chose_on_the_cases_that_it_scores(
    tmp_path: Path, changes: tuple[str, ...], said: bool
) -> None:
    data = discs(tmp_path / "data", count=4)
    train(quick(tmp_path, *changes), data=data, out=tmp_path / "run", folds=[0])
    text = report(tmp_path / "run").report.read_text(encoding="utf-8")
    sentence = "The monitor chose among 2 validated epochs on the very cases that are scored here"
    assert (sentence in text) == said


def test_work_24_the_recipe_of_a_single_volume_chooses_no_epoch_on_what_it_scores() -> None:
    recipe = load_recipe("volume-laptop")
    assert recipe.split.kind == "sections"
    assert [stage.member for stage in recipe.stages] == ["last"]
