"""Groups out of tables, names and near twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.doctor.case_statistics import statistics_of
from lamina.errors import DataError, RecipeError
from lamina.plan.fingerprint.groups import groups_of
from lamina.plan.tree import Tree
from lamina.volume import ArrayVolume
from tests.factories.patients import texture


def cases(*ids: str, twins: bool = False) -> list[Case]:
    seeds = [0 if twins and k < 2 else k for k in range(len(ids))]
    return [
        Case(id, id, ArrayVolume((texture(seed) // (1 + twins * k % 2))[None]))
        for k, (id, seed) in enumerate(zip(ids, seeds, strict=True))
    ]


def put(root: Path, text: str = "") -> Tree:
    (root / "a.png").write_bytes(b"")
    if text:
        (root / "t.csv").write_text(text)
    return Tree.of(root)


def test_a_table_that_names_every_case_is_used(tmp_path: Path) -> None:
    found = groups_of(
        put(tmp_path, "ImageId,Patient\na,p\nb,p\nc,q"), cases("a", "b", "c"), None, []
    )
    assert found.options == {"groups": "t.csv"}
    assert found.count == 2


def test_a_table_of_other_things_is_not(tmp_path: Path) -> None:
    for text in ("ImageId,Patient\na,p\nb,p", "ImageId,Width\na,1\nb,2\nc,3"):
        found = groups_of(put(tmp_path, text), cases("a", "b", "c"), None, [])
        assert (found.options, found.count) == ({}, 3)


def test_a_table_that_is_asked_for_must_name_every_case(tmp_path: Path) -> None:
    tree = put(tmp_path, "ImageId,Patient\na,p\nb,p")
    with pytest.raises(DataError, match="have no group"):
        groups_of(tree, cases("a", "b", "c"), "t.csv", [])
    assert groups_of(tree, cases("a", "b"), "t.csv", []).options == {"groups": "t.csv"}
    with pytest.raises(RecipeError, match="tables below the data folder; copy it"):
        groups_of(tree, cases("a", "b"), str(tmp_path.parent / "other.csv"), [])


def test_a_regular_expression_that_is_asked_for(tmp_path: Path) -> None:
    found = groups_of(put(tmp_path), cases("p1-a", "p1-b", "p2-a"), "(p[0-9])-", [])
    assert found.options == {"group_by": "(p[0-9])-"}
    assert found.count == 2
    with pytest.raises(RecipeError, match=r"--groups is '\(p': .*no regular expression"):
        groups_of(put(tmp_path), cases("p"), "(p", [])


def test_numbers_of_parts_in_names(tmp_path: Path) -> None:
    ids = [f"scan{k}_slice_{n}" for k in range(3) for n in range(4)]
    found = groups_of(put(tmp_path), cases(*ids), None, [])
    assert found.count == 3
    assert list(found.options) == ["group_by"]
    plain = groups_of(put(tmp_path), cases("img_001", "img_002", "img_003"), None, [])
    assert plain.options == {}


def test_near_twins_join_their_groups(tmp_path: Path) -> None:
    some = cases("a", "b", "c", "d", twins=True)
    found = groups_of(put(tmp_path), some, None, statistics_of(some, None))
    assert found.twins == (("a", "b"),)
    assert found.options == {"together": [["a", "b"]]}
    assert found.count == 3
    assert np.unique(list(found.group_of.values())).size == 3
