"""I21: ids of every kind become file names, and back."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import DataError
from lamina.prediction.folder.file_names import LONGEST, check_ids, file_name

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("0002cc93b.jpg", "0002cc93b.jpg"),
        ("vol/z0003", "vol%2Fz0003"),
        ("raw[z0-14]", "raw[z0-14]"),
        ("a b", "a b"),
        ("grün", "grün"),
        ("gru\u0308n", "gru%CC%88n"),  # the same word, decomposed: another id
        ("-x", "%2Dx"),
        ("..", "%2E%2E"),
        ("con.png", "%63on.png"),
        ("a\nb", "a%0Ab"),
        ("50%", "50%25"),
        ("tail.", "tail%2E"),
    ],
)
def test_by_hand(id: str, name: str) -> None:
    assert file_name(id) == name
    assert unquote(name) == id


CUT = re.compile("~[0-9a-f]{16}$")
"""The end of a name that is cut: of letters of several bytes it may be shorter than LONGEST."""


@settings(max_examples=200)
@given(ids)
def test_there_and_back_and_never_a_path(id: str) -> None:
    name = file_name(id)
    assert not set(name) & set('/\\:\0\n*?"<>|')
    assert name not in (".", "..")
    if not CUT.search(name):
        assert unquote(name) == id
    assert len(name.encode()) <= LONGEST


@given(st.lists(ids, min_size=2, max_size=6, unique=True))
def test_different_ids_have_different_names(many: list[str]) -> None:
    assert len({file_name(id) for id in many}) == len(many)


def test_long_ids_are_cut_and_stay_different() -> None:
    one, two = "é" * 300, "é" * 299 + "e"
    assert file_name(one) != file_name(two)
    assert max(len(file_name(id).encode()) for id in (one, two)) <= LONGEST


@pytest.mark.parametrize("two", [("a.png", "A.png"), ("caf\u00e9", "cafe\u0301"), ("x", "x")])
def test_ids_that_some_machine_cannot_tell_apart_are_refused(two: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="rename one of them"):
        check_ids(two)
