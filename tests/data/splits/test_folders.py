"""The user's own folders train/, val/ and test/ as the split (WORK-5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.splits import Folders
from lamina.errors import DataError, LeakError
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 2, 2), np.uint8))
HERE = Path()


def cases(*ids: str) -> list[Case]:
    return [Case(id, id, IMAGE) for id in ids]


def test_WORK_5_val_is_held_out_test_left_out_and_all_else_trained_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ids = ["train/a", "val/b", "Validation/c", "test/d", "more/e", "f", "p1/val/g", "train/val"]
    found, folds = Folders().assign(cases(*ids), HERE)
    assert dict(zip([case.id for case in found], folds, strict=True)) == {
        "train/a": -1,
        "val/b": 0,
        "Validation/c": 0,
        "more/e": -1,
        "f": -1,
        "p1/val/g": 0,
        "train/val": -1,  # a file called val, in train
    }
    assert "1 cases in test/ or testing/ are neither trained on nor held out" in (
        capsys.readouterr().err
    )


def test_WORK_5_other_names_of_folders_are_options() -> None:
    split = Folders.model_validate({"validate": ["hold"], "test": ["val"]})
    found, folds = split.assign(cases("a/1", "hold/2", "val/3"), HERE)
    assert ([case.id for case in found], folds) == (["a/1", "hold/2"], [-1, 0])
    assert split.model_dump()["validate"] == ("hold",)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["train/a", "hold/b", "c"], r"no case is held out; folders are hold/ \(1\), train/ \(1\)"),
        (["a", "b"], "no case is held out; ids such as 'a' name no folder; set data.images"),
        (["val/a", "test/b"], "no case is left to train on"),
    ],
)
def test_WORK_5_a_side_without_cases_is_refused(ids: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Folders().assign(cases(*ids), HERE)


def test_WORK_5_a_patient_in_two_folders_is_a_leak(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("ImageId,Group\ntrain/a,p1\nval/b.png,p1\nc,p2\n")
    found = cases("train/a", "val/b", "train/c")
    with pytest.raises(LeakError, match="1 groups are on both sides"):
        Folders(groups="groups.csv").assign(found, tmp_path)
    Folders().assign(found, tmp_path)
