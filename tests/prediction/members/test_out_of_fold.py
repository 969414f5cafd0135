"""Who answers: never a member that trained on the image, where another can."""

from __future__ import annotations

from typing import Any

import pytest

from lamina.bundle import Bundle, KnownCase, Part, join
from lamina.prediction.members.out_of_fold import Policy
from lamina.recipe.recipe import MeanOf

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


def test_of_several_bundles_only_those_that_never_saw_it_answer(bundle: Bundle, make: Any) -> None:
    other = make.bundle({"a": KnownCase(sha256=("aa",), fold=-1)})
    chosen = Policy([bundle, other], "auto").choose("a", "aa")
    assert chosen.members == ((0, 0),)
    assert chosen.known == "held_out"
    chosen = Policy([bundle, other], "auto").choose("b", "bb")
    assert chosen.members == ((0, 1), (1, 0), (1, 1))  # the other never knew it
    assert chosen.known == "held_out"
    chosen = Policy([other, other], "auto").choose("a", "aa")
    assert len(chosen.members) == 4
    assert chosen.known == "seen"


def test_an_ensemble_of_other_folds_answers_by_who_held_the_case_out(make: Any) -> None:
    """STEEL-24 with honest folds: the fold of a case counts training by training."""
    one = make.bundle(
        {"a": KnownCase(sha256=("aa",), fold=0), "b": KnownCase(sha256=("bb",), fold=0)}
    )
    two = make.bundle(
        {"a": KnownCase(sha256=("aa",), fold=1), "x": KnownCase(sha256=("bb",), fold=0)}
    )
    joined = join([Part("one", one, 2.0), Part("two", two, 1.0)], MeanOf())
    policy = Policy([joined], "auto")
    assert policy.choose("a", "aa").members == ((0, 0), (0, 3))
    assert policy.choose("b", "bb").members == ((0, 0), (0, 2))
    assert policy.choose("new", "cc").members == ((0, 0), (0, 1), (0, 2), (0, 3))


def test_an_image_with_made_labels_is_no_image_with_known_ones(make: Any) -> None:
    made = {"p": KnownCase(sha256=("pp",), fold=-1, labels="pseudo")}
    chosen = Policy([make.bundle({**CASES, **made})], "auto").choose("p", "pp")
    assert chosen.members == ((0, 0), (0, 1))
    assert chosen.known == "pseudo"
