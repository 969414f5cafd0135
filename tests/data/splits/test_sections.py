"""Volumes cut along one axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.splits import Sections, check_groups
from lamina.errors import DataError, OptionError
from lamina.volume import ArrayVolume, read_all

ARRAY = np.arange(10 * 3 * 4).reshape(1, 10, 3, 4)
CASE = Case(
    "raw", "raw", ArrayVolume(ARRAY, "zyx"), ArrayVolume(-ARRAY, "zyx"), facts={"classes": "0"}
)


def test_cases_are_cut_into_parts_with_their_targets() -> None:
    split = Sections(train=((0, 4), (8, 10)), validation=((5, 7),))
    cases, folds = split.assign([CASE], Path())
    assert [case.id for case in cases] == ["raw[z0-4]", "raw[z8-10]", "raw[z5-7]"]
    assert folds == [-1, -1, 0]
    np.testing.assert_array_equal(read_all(cases[2].image), ARRAY[:, 5:7])
    assert cases[2].target is not None
    np.testing.assert_array_equal(read_all(cases[2].target), -ARRAY[:, 5:7])
    assert cases[2].facts == {}  # the facts of the whole need not hold for the part
    check_groups(cases, folds)


def test_any_axis_may_be_cut() -> None:
    cases, _ = Sections(axis="x", train=((0, 2),), validation=((3, 4),)).assign([CASE], Path())
    np.testing.assert_array_equal(read_all(cases[0].image), ARRAY[..., :2])


@pytest.mark.parametrize(
    ("train", "validate"),
    [([(0, 5)], [(4, 6)]), ([(0, 5), (3, 8)], [(9, 10)]), ([(0, 9)], [(2, 3)])],
)
def test_overlapping_ranges_are_refused(
    train: list[tuple[int, int]], validate: list[tuple[int, int]]
) -> None:
    with pytest.raises(OptionError, match="overlap"):
        Sections(train=train, validation=validate)


@pytest.mark.parametrize("span", [(3, 3), (4, 2), (-1, 2)])
def test_empty_and_negative_ranges_are_refused(span: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="0 <= start < stop"):
        Sections(train=[span], validation=[(8, 9)])


def test_ranges_that_touch_do_not_overlap_and_the_spec_survives_a_dump() -> None:
    split = Sections.model_validate({"train": [[0, 5]], "validate": [[5, 9]]})
    assert split.model_dump(mode="json") == {
        "kind": "sections",
        "axis": "z",
        "train": [[0, 5]],
        "validate": [[5, 9]],
    }
    assert Sections.model_validate(split.model_dump(mode="json")) == split


def test_a_range_beyond_the_volume_or_a_missing_axis_lists_every_case() -> None:
    flat = Case("flat", "flat", ArrayVolume(ARRAY[0, :1]))
    with pytest.raises(DataError) as caught:
        Sections(train=((0, 4),), validation=((5, 20),)).assign([CASE, flat], Path())
    assert "case raw: 10 long along 'z', but a range ends at 20" in str(caught.value)
    assert "case flat: no axis 'z' in 'yx'" in str(caught.value)
