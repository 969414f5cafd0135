"""Who answers: never a member that trained on the image, where another can."""

from __future__ import annotations

from typing import Any

import pytest

from lamina.bundle import Bundle, KnownCase
from lamina.predict.policy import Policy

CASES = {
    "a": KnownCase(sha256=("aa",), fold=0),
    "b": KnownCase(sha256=("bb",), fold=1),
    "always": KnownCase(sha256=("cc",), fold=-1),
    "third": KnownCase(sha256=("dd",), fold=2),
    "raw[z0-14]": KnownCase(sha256=("ee",), fold=-1),
    "raw[z15-20]": KnownCase(sha256=("ee",), fold=0),
    "twin": KnownCase(sha256=("aa",), fold=1),
}


@pytest.fixture(scope="module")
def bundle(make: Any) -> Bundle:
    return make.bundle(CASES)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("id", "sha256", "members", "known"),
    [
        ("a", "aa", [0], "held_out"),
        ("b", "bb", [1], "held_out"),
        ("another name", "bb", [1], "held_out"),  # the content counts, not the name
        ("b", "zz", [0, 1], "new"),  # the same name for another image
        ("always", "cc", [0, 1], "seen"),
        ("third", "dd", [0, 1], "seen"),  # its fold was not trained
        ("raw", "ee", [0, 1], "partly_seen"),
        ("copy", "aa", [0, 1], "partly_seen"),  # in both folds under other names
    ],
)
def test_auto(bundle: Bundle, id: str, sha256: str, members: list[int], known: str) -> None:
    chosen = Policy([bundle], "auto").choose(id, sha256)
    assert [number for _, number in chosen.members] == members
    assert chosen.known == known


def test_all_answer_when_told_to_and_it_is_said(bundle: Bundle) -> None:
    chosen = Policy([bundle], "all").choose("a", "aa")
    assert len(chosen.members) == 2
    assert chosen.known == "seen"


def test_several_bundles_count_by_the_worst(bundle: Bundle, make: Any) -> None:
    other = make.bundle({"a": KnownCase(sha256=("aa",), fold=-1)})
    chosen = Policy([bundle, other], "auto").choose("a", "aa")
    assert chosen.members == ((0, 0), (1, 0), (1, 1))
    assert chosen.known == "seen"
    assert Policy([bundle, other], "auto").choose("b", "bb").known == "held_out"
