"""Cases made on the spot: the same as the files that the same seed would write."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from lamina.data.catalogs import CsvRle, Synthetic
from lamina.data.splits import Folds
from lamina.errors import OptionError, RecipeError
from lamina.geometry.region import Region
from lamina.synthetic.steel import write_severstal
from lamina.task import Task
from lamina.volume import read_all

MULTILABEL = Task(kind="multilabel")
CATALOG = Synthetic(count=12, shape=(32, 64), seed=5)


def test_it_lists_what_the_same_seed_writes_to_disk(tmp_path: Path) -> None:
    write_severstal(tmp_path, count=12, seed=5, shape=(32, 64))
    written = CsvRle().open(tmp_path, Task(kind="multilabel", names=tuple("wxyz")))
    made = CATALOG.open(tmp_path / "not looked at", MULTILABEL)
    assert made.names == ("class_1", "class_2", "class_3", "class_4")
    for ours, theirs in zip(made.cases, written.cases, strict=True):
        assert f"{ours.id}.png" == theirs.id
        assert ours.facts == theirs.facts
        assert ours.target is not None
        assert theirs.target is not None
        np.testing.assert_array_equal(read_all(ours.image), read_all(theirs.image))
        np.testing.assert_array_equal(read_all(ours.target), read_all(theirs.target))
    assert {case.facts["classes"] for case in made.cases} > {""}  # some clean, some not


def test_parts_are_parts_of_the_whole_and_volumes_pickle() -> None:
    case = CATALOG.open(Path(), MULTILABEL).cases[3]
    region = Region((4, 10), (20, 11))
    for volume in (case.image, case.target):
        assert volume is not None
        part = pickle.loads(pickle.dumps(volume)).read(region)
        np.testing.assert_array_equal(part, read_all(volume)[(slice(None), *region.slices)])
        assert part.dtype == volume.dtype
        assert part.shape == (volume.channels, 16, 1)


def test_a_binary_task_sees_any_defect() -> None:
    listing = CATALOG.open(Path(), Task())
    assert listing.names == ("defect",)
    every = CATALOG.open(Path(), MULTILABEL)
    for one, four in zip(listing.cases, every.cases, strict=True):
        assert one.target is not None
        assert four.target is not None
        np.testing.assert_array_equal(read_all(one.target)[0], read_all(four.target).any(0))


def test_what_is_read_may_be_changed_without_changing_the_next_read() -> None:
    volume = CATALOG.open(Path(), MULTILABEL).cases[0].image
    before = read_all(volume).copy()
    read_all(volume)[:] = 0
    np.testing.assert_array_equal(read_all(volume), before)


def test_classes_are_known_to_splits() -> None:
    cases, folds = Folds(count=2, stratify="count").assign(
        CATALOG.open(Path(), MULTILABEL).cases, Path()
    )
    assert (len(cases), sorted(set(folds))) == (12, [0, 1])


def test_other_tasks_and_small_strips_are_refused() -> None:
    with pytest.raises(RecipeError, match="multilabel"):
        CATALOG.open(Path(), Task(kind="multiclass"))
    with pytest.raises(RecipeError, match="lists 2 classes"):
        CATALOG.open(Path(), Task(kind="multilabel", names=("a", "b")))
    with pytest.raises(OptionError, match="32"):
        Synthetic(shape=(16, 64))
