"""What settles a run folder: its recipe and its data, from the first saved state on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.catalogs.synthetic import Strip
from lamina.data.orientation import canonical
from lamina.data.readers import open_volume
from lamina.errors import RecipeError
from lamina.files import read_json, write_json
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.run_folder import locked, record_data, record_recipe
from tests.factories.discs import discs, quick
from tests.factories.training import known, steel_recipe, tiny


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
    """C09."""
    out = tmp_path / "run"
    record_recipe(out, tiny(tmp_path), "first", accept_changes=False)
    saved(out)
    longer = tiny(tmp_path, "train.epochs=9")
    with pytest.raises(RecipeError, match="--accept-changes"):
        record_recipe(out, longer, "second", accept_changes=False)
    record_recipe(out, longer, "second", accept_changes=True)
    assert (out / "recipe.yaml").read_text(encoding="utf-8") == "second"


def test_other_images_or_folds_are_refused_once_a_fold_has_trained(tmp_path: Path) -> None:
    """C09: else a case could be held out by a member that it trained."""
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


def test_work_6_labels_that_changed_are_named_on_resume(tmp_path: Path) -> None:
    """Two masks exchanged: the same command names both, and goes on once they are back."""
    data, out = discs(tmp_path / "data"), tmp_path / "run"
    train(quick(tmp_path), data=data, out=out)
    one, other, spare = (data / "masks" / f"{name}.png" for name in ("disc2", "disc5", "spare"))

    def exchange() -> None:
        one.rename(spare)
        other.rename(one)
        spare.rename(other)

    exchange()
    with pytest.raises(RecipeError, match=r"\n  2 with other labels, such as disc2"):
        train(quick(tmp_path), data=data, out=out)
    exchange()
    assert len(train(quick(tmp_path), data=data, out=out).folds) == 2


def test_work_6_a_row_of_a_table_that_changed_is_named(tmp_path: Path) -> None:
    """Only the image whose codes changed counts, though all images share one table."""
    data, out = known(tmp_path), tmp_path / "run"
    recipe = steel_recipe(tmp_path)
    opened = open_data(recipe, data)
    record(out, data, opened.cases, opened.folds)
    saved(out)
    table = data / "train.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    number = next(n for n, row in enumerate(rows) if n and row.rpartition(",")[2])
    rows[number] = rows[number].rpartition(",")[0] + ",1 3"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    changed = open_data(recipe, data)
    name = next(
        a.id
        for a, b in zip(opened.cases, changed.cases, strict=True)
        if a.label_digest != b.label_digest
    )
    with pytest.raises(RecipeError, match=f"\n  1 with other labels, such as {name}$"):
        record(out, data, changed.cases, changed.folds)


def test_work_6_runs_without_digests_of_labels_still_resume_and_keep_them_from_then_on(
    tmp_path: Path,
) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    root.mkdir()
    (root / "mask").write_text("first", encoding="utf-8")
    labelled = [replace(case, label_files=(str(root / "mask"),)) for case in cases(root, a="1")]
    record(out, root, labelled, [0])
    saved(out)
    stored = read_json(out / "data.json")
    del stored["cases"][0]["labels_sha256"]
    write_json(out / "data.json", stored)
    record(out, root, labelled, [0])
    (root / "mask").write_text("second", encoding="utf-8")
    with pytest.raises(RecipeError, match="1 with other labels, such as a"):
        record(out, root, labelled, [0])


def test_read_2_a_run_of_an_earlier_version_does_not_go_on_with_images_turned(
    tmp_path: Path,
) -> None:
    """READ-2: half of a training as stored and half in canonical orientation would be nonsense."""
    out, path = tmp_path / "run", tmp_path / "scan.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.diag([-1.0, 1, 1, 1])), path)
    stored = open_volume(path)
    case = Case("scan", "scan", stored, files=(str(path),))
    record(out, tmp_path, [case], [0])
    saved(out)
    rows = read_json(out / "data.json")
    for row in rows["cases"]:
        del row["turned"]  # which no earlier version wrote
    write_json(out / "data.json", rows)
    record(out, tmp_path, [case], [0])
    upright = replace(case, image=canonical(stored))
    with pytest.raises(
        RecipeError, match=r"1 in another orientation \(data.orientation\), such as"
    ):
        record(out, tmp_path, [upright], [0])
