"""The held-out cases of a run; its data are listed again only when its own list changes."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from lamina.reporting.run_contents import Run
from lamina.viewer.sources.run_source import RunSource


def test_data_are_listed_once(run_folder: Path, tmp_path: Path) -> None:
    source = RunSource(run_folder, None, tmp_path)
    with mock.patch.object(Run, "cases", autospec=True, side_effect=Run.cases) as listed:
        first, second = source.read(), source.read()
    assert listed.call_count == 1
    assert [one.case.id for one in first.cases] == [one.case.id for one in second.cases]
    assert {one.fold for one in first.cases} == {0, 1}


def test_a_run_whose_data_are_gone_says_so(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").rename(tmp_path / "gone")
    contents = RunSource(run_folder, None, tmp_path).read()
    assert contents.cases == ()
    assert len(contents.problems) == 6
    assert "is not in the data folder" in contents.problems[0]
    moved = RunSource(run_folder, tmp_path / "gone", tmp_path).read()
    assert (len(moved.cases), moved.problems) == (6, ())
