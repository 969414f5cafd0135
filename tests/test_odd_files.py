"""One run of ``lamina check`` names every odd file of a folder, each for the right reason."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from tests.odd_files import RECIPE, Odd, every, write


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("odd") / "data")


@pytest.fixture(scope="module")
def said(root: Path) -> str:
    with warnings.catch_warnings():  # pydicom's own on the header, ours on EXIF
        warnings.simplefilter("ignore")
        done = CliRunner().invoke(app, ["check", RECIPE, "--data", str(root)])
    assert done.exit_code == 3, done.exception
    return done.stdout + done.stderr


def lines_about(odd: Odd, said: str) -> list[str]:
    """Return the lines that name an odd file, its mask, or its id."""
    stem = odd.name.rpartition(".")[0] or odd.name
    names = {
        "image": [f"images/{odd.name}"],
        "mask": [f"masks/{stem}."],
        "id": [f" {stem} (", f" {stem},", f": {stem}:", f" {stem}:"],
    }[odd.about]
    lines = said.splitlines()
    found = []
    for number, line in enumerate(lines):
        if any(name in line for name in names):
            inner = [line]
            for below in lines[number + 1 :]:  # what follows deeper belongs to it
                if len(below) - len(below.lstrip()) <= len(line) - len(line.lstrip()):
                    break
                inner.append(below)
            found.append("\n".join(inner))
    return found


def test_the_folder_has_forty_odd_files() -> None:
    assert len(every()) >= 40
    assert len({odd.name for odd in every()}) == len(every())


@pytest.mark.parametrize("odd", every(), ids=lambda odd: odd.name[:30])
def test_one_run_of_check_names_it_for_the_right_reason_or_reads_it(odd: Odd, said: str) -> None:
    found = lines_about(odd, said)
    if odd.named is None:
        assert found == []
    else:
        assert any(re.search(odd.named, one) for one in found), found or said


def test_plain_files_are_not_named_and_a_mask_without_image_is(said: str) -> None:
    assert "images/plain" not in said.replace("images/plain0.png (", "")
    assert re.search(r"masks/without_image\.png: no image", said)
    assert "Traceback" not in said
