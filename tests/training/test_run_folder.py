"""What settles a run folder: its recipe and its data, from the first saved state on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lamina.data.case import Case
from lamina.data.catalogs.synthetic import Strip
from lamina.errors import RecipeError
from lamina.files import read_json, write_json
from lamina.training.run_folder import locked, record_data, record_recipe
from tests.factories.training import tiny


def saved(out: Path) -> None:
    """Let the run look as if a fold had saved a state."""
    write_json(out / "fold0" / "state" / "00000001" / "index.json", {})


def cases(root: Path, **content: str) -> list[Case]:
    for name, text in content.items():
        (root / name).write_text(text, encoding="utf-8")
    return [
        Case(name, name, Strip(0, 0, (32, 32), "image"), files=(str(root / name),))
        for name in content
    ]


def record(out: Path, root: Path, known: Sequence[Case], folds: Sequence[int]) -> None:
    record_data(out, root, ("defect",), known, folds)


def test_until_something_is_saved_a_corrected_recipe_takes_the_place_of_the_first(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    record_recipe(out, tiny(tmp_path), "first", accept_changes=False)
    record_recipe(out, tiny(tmp_path, "seed=4"), "second", accept_changes=False)
    assert read_json(out / "recipe.json")["seed"] == 4
    saved(out)
    with pytest.raises(
        RecipeError, match=r"another recipe; choose another --out, .*\n  seed: 4 -> 5"
    ):
        record_recipe(out, tiny(tmp_path, "seed=5"), "third", accept_changes=True)
    assert read_json(out / "recipe.json")["seed"] == 4


def test_epochs_may_change_when_told_so(tmp_path: Path) -> None:
    out = tmp_path / "run"
    record_recipe(out, tiny(tmp_path), "first", accept_changes=False)
    saved(out)
    longer = tiny(tmp_path, "train.epochs=9")
    with pytest.raises(RecipeError, match="--accept-changes"):
        record_recipe(out, longer, "second", accept_changes=False)
    record_recipe(out, longer, "second", accept_changes=True)
    assert (out / "recipe.yaml").read_text(encoding="utf-8") == "second"


def test_other_images_or_folds_are_refused_once_a_fold_has_trained(tmp_path: Path) -> None:
    """Else a case could be held out by a member that it trained."""
    out = tmp_path / "run"
    record(out, tmp_path, cases(tmp_path, a="1", b="2", c="3"), [0, 1, 1])
    record(out, tmp_path, cases(tmp_path, a="1", b="2", d="4"), [0, 1, 1])
    saved(out)
    record(out, tmp_path, cases(tmp_path, a="1", b="2", d="4"), [0, 1, 1])
    with pytest.raises(RecipeError, match="holds a run on other data") as caught:
        record(out, tmp_path, cases(tmp_path, a="1", b="x", e="5"), [1, 1, 0])
    assert str(caught.value).splitlines()[1:] == [
        "  1 new, such as e",
        "  1 gone, such as d",
        "  1 with another image, such as b",
        "  1 in another fold, such as a",
    ]
    assert [row["id"] for row in read_json(out / "data.json")["cases"]] == ["a", "b", "d"]


def test_the_same_data_in_another_place_go_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    record(out, tmp_path, cases(tmp_path, a="1", b="2"), [0, 1])
    saved(out)
    moved = tmp_path / "moved"
    moved.mkdir()
    record(out, moved, cases(moved, a="1", b="2"), [0, 1])
    assert read_json(out / "data.json")["root"] == str(moved)


def test_a_file_in_place_of_the_run_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(RecipeError, match="cannot be written"), locked(tmp_path / "run"):
        pass
