"""Two runs compared on the cases that both held out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lamina.errors import DataError, RecipeError
from lamina.files import read_json, write_json
from lamina.reporting.comparison import compare
from lamina.reporting.judged_cases import judge
from lamina.reporting.run_contents import Run
from tests.reporting.test_page import read


@pytest.fixture
def other_run(run_folder: Path) -> Path:
    """The same predictions by a decision that finds nothing."""
    other = run_folder.parent / "other"
    shutil.copytree(run_folder, other)
    recipe = read_json(other / "recipe.json")
    recipe["decide"]["threshold"] = 1.0
    write_json(other / "recipe.json", recipe)
    text = (other / "recipe.resolved.yaml").read_text(encoding="utf-8")
    changed = text.replace("  threshold: 0.5", "  threshold: 1.0")
    assert changed != text
    (other / "recipe.resolved.yaml").write_text(changed, encoding="utf-8")
    return other


def test_scores_are_those_of_both_runs(run_folder: Path, other_run: Path, tmp_path: Path) -> None:
    found = compare(run_folder, other_run, tmp_path / "both.html")
    values = []
    for folder in (run_folder, other_run):
        run = Run.open(folder)
        summary = judge(run, run.cases()).summary
        assert summary is not None
        values.append(summary["value"])
    assert (found.first, found.second) == tuple(values)
    assert found.cases == 6
    page = read(found.report)
    assert "script" not in page.tags
    assert f"{values[1]:.4f} against {values[0]:.4f} on 6 cases" in page.text
    assert "-   threshold: 0.5" in page.text
    assert "+   threshold: 1.0" in page.text
    assert "Largest losses" in page.text
    with pytest.raises(DataError, match="a run folder"):
        compare(run_folder, tmp_path, tmp_path / "none.html")


def test_a_run_is_not_better_than_itself(run_folder: Path, tmp_path: Path) -> None:
    found = compare(run_folder, run_folder, tmp_path / "same.html")
    assert found.verdict == "not better"
    assert "Largest" not in read(found.report).text


def test_other_metrics_or_cases_are_refused(
    run_folder: Path, other_run: Path, tmp_path: Path
) -> None:
    recipe = read_json(other_run / "recipe.json")
    write_json(other_run / "recipe.json", {**recipe, "metric": {"kind": "iou"}})
    with pytest.raises(RecipeError, match="different metrics"):
        compare(run_folder, other_run, tmp_path / "x.html")
    write_json(other_run / "recipe.json", recipe)
    for fold in other_run.glob("fold*"):
        shutil.rmtree(fold)
    with pytest.raises(DataError, match="no case in common"):
        compare(run_folder, other_run, tmp_path / "x.html")
