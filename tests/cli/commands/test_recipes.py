"""`lamina plan` on the command line: what is refused, with which exit code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from tests.factories.data_folders import folder


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 3, "can be read in 2 ways; choose one:"),
        (["--layout", "coco"], 3, "--layout is 'coco', and the folder can be read as"),
        (["--metric", "good"], 2, "--metric is 'good'; it must be one of dice_image,"),
        (["--spacing", "1,x"], 2, "write numbers with commas"),
        (["--spacing", "0,1"], 2, "--spacing is '0,1'; each number must be above 0"),
        (["--dims", "4d"], 2, "--dims is '4d'; it must be auto, 2d, 2.5d, 3d"),
        (["--layout", "folder/masks", "--dims", "3d"], 2, "images have two axes"),
        (["--layout", "folder/masks", "--groups", "none.csv"], 3, "no such table"),
        (["-s", "train.epochs=2"], 2, "-s train.epochs=2: a plan takes options of the data alone"),
        (["--layout", "folder/masks", "-s", "data.axis=yx"], 2, "-s data.axis: Extra"),
        (["-s", "data.axes"], 2, "a change is NAME=VALUE"),
    ],
)
def test_what_cannot_be_planned(tmp_path: Path, options: list[str], code: int, words: str) -> None:
    folder(tmp_path)
    shutil.copytree(tmp_path / "masks", tmp_path / "labels")
    done = CliRunner().invoke(app, ["plan", str(tmp_path), *options])
    assert done.exit_code == code, done.stderr
    assert words in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels", "masks"]


def test_options_about_data_need_their_folder() -> None:
    for option in (["--index", "index.jsonl"], ["--verify-data"], ["--pictures", "page.html"]):
        done = CliRunner().invoke(app, ["check", "folder-laptop", *option])
        assert done.exit_code == 2
        assert "name their folder by --data" in done.stderr
