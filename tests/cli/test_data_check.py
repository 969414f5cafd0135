"""`lamina check --data`: sound data, one fault as it is, and several together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.cli.data_check import check_data
from lamina.errors import DataError, RecipeError
from lamina.recipe.load import load_recipe
from tests.factories.patients import put, texture, write

RECIPE = load_recipe("folder-laptop", ["split.count=2"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, {f"{k}.png": texture(k) for k in range(4)})


def test_sound_data_have_figures_and_lines(root: Path) -> None:
    figures, lines = check_data(RECIPE, root)
    assert (figures["cases"], figures["not_checked"], figures["notes"]) == (4, [], [])
    assert lines == [f"{root}: 4 cases; classes foreground; held out per fold 2, 2"]


def test_one_fault_is_told_as_it_is(root: Path) -> None:
    (root / "masks" / "2.png").unlink()
    with pytest.raises(DataError, match=r"^masks: 1 of 4 masks are missing; add them, or set"):
        check_data(RECIPE, root)


def test_faults_of_different_kinds_are_told_together(root: Path) -> None:
    (root / "masks" / "2.png").unlink()
    (root / "images" / "1.png").write_bytes((root / "images" / "1.png").read_bytes()[:300])
    (root / "images" / "note.txt").write_text("x")
    with pytest.raises(DataError, match="2 problems; each with its file") as caught:
        check_data(RECIPE, root)
    said = str(caught.value)
    assert "images/1.png: is cut off" in said
    assert "images/2.png: no mask '2.*'; add it, or set data.missing to empty" in said
    assert "images/note.txt has a suffix of no type that is read" in said


def test_a_fault_of_the_recipe_keeps_its_exit_code(root: Path) -> None:
    put(root / "images" / "v.tif", np.zeros((7, 8, 8), np.uint8))
    put(root / "masks" / "v.tif", np.zeros((7, 8, 8), np.uint8))
    with pytest.raises(RecipeError, match=r"case v: has axes 'zyx'.*set frame\.slices"):
        check_data(RECIPE, root)


def test_another_layout_is_named_beside_what_is_missing(root: Path) -> None:
    for path in (root / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    with pytest.raises(DataError, match=r"are called, -s 'data\.masks=masks/\{id\}_mask"):
        check_data(RECIPE, root)


def test_the_cost_of_headers_is_bounded_and_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.cli.data_check.HEADERS", 3)
    _, lines = check_data(RECIPE, root)
    assert lines[1:] == ["note: palettes of 4 cases are looked for by `lamina doctor` only"]
