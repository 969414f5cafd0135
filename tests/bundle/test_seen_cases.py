"""Who has seen which case: by hand, and against the rule written out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamina.bundle import (
    Bundle,
    KnownCase,
    MemberWeights,
    Part,
    SeenCases,
    indirect_cases,
    join,
    leak_lines,
    member_of_file,
)
from lamina.data.network_input.normalise import Fixed
from lamina.recipe.recipe import MeanOf, Recipe


def case(fold: int, *sha256: str, labels: Any = "given") -> KnownCase:
    return KnownCase(sha256=sha256, fold=fold, labels=labels)


KNOWN = SeenCases(
    {
        "a": case(0, "aa"),
        "b": case(1, "bb"),
        "always": case(-1, "cc"),
        "raw[z0-14]": case(-1, "ee"),
        "raw[z15-20]": case(0, "ee"),
        "two files": case(1, "f1", "f2"),
    }
)


@pytest.mark.parametrize(
    ("id", "sha256", "matching", "or_id"),
    [
        ("a", ["aa"], ["a"], ["a"]),
        ("another name", ["bb"], ["b"], ["b"]),
        ("b", ["zz"], [], ["b"]),  # the same name, another content
        ("raw", ["ee"], ["raw[z0-14]", "raw[z15-20]"], ["raw[z0-14]", "raw[z15-20]"]),
        ("raw[z15-20]", ["ee"], ["raw[z15-20]"], ["raw[z15-20]"]),
        ("a", ["bb"], ["b"], ["b", "a"]),  # one by content, one by name
        ("new", ["f2", "zz"], ["two files"], ["two files"]),
        ("new", ["zz"], [], []),
    ],
)
def test_a_case_is_known_by_its_content_then_by_its_id(
    id: str, sha256: list[str], matching: list[str], or_id: list[str]
) -> None:
    assert list(KNOWN.matching(id, sha256)) == matching
    assert list(KNOWN.matching(id, sha256, or_id=True)) == or_id


def test_a_member_has_seen_all_but_what_it_held_out() -> None:
    assert set(KNOWN.seen(0)) == {"b", "always", "raw[z0-14]", "two files"}
    assert set(KNOWN.seen(-1)) == set(KNOWN.cases)
    assert KNOWN.saw(0, "a", ["aa"]) is None
    assert KNOWN.saw(1, "copy", ["aa"]) == "a"
    assert KNOWN.saw(-1, "a", ["aa"]) == "a"
    assert KNOWN.saw(0, "always", ["cc"]) == "always"
    assert KNOWN.saw(0, "raw", ["ee"]) == "raw[z0-14]"  # a part of it
    assert KNOWN.saw(0, "raw[z15-20]", ["ee"]) is None
    leaks = KNOWN.leaks(1, {"a": ["aa"], "copy": ["aa"], "b": ["bb"], "new": ["zz"]})
    assert leaks == {"a": "a", "copy": "a"}
    assert leak_lines(leaks) == ["a", "copy (there a)"]


digests = st.sampled_from("uvwxyz")
cases = st.dictionaries(
    st.sampled_from("abcd"),
    st.builds(case, st.integers(-1, 2), digests, digests),
    min_size=1,
)


@given(known=cases, fold=st.integers(-1, 2), id=st.sampled_from("abcde"), sha256=digests)
def test_the_rule_written_out(known: dict[str, KnownCase], fold: int, id: str, sha256: str) -> None:
    shared = {name for name, one in known.items() if sha256 in one.sha256}
    meant = {id} if id in shared else shared
    trained = {name for name in meant if fold == -1 or known[name].fold != fold}
    found = SeenCases(known).saw(fold, id, [sha256])
    assert found in trained if trained else found is None
    # a shared name can only add to what counts as seen, never take away
    either = SeenCases(known).saw(fold, id, [sha256], or_id=True)
    assert either is not None or found is None


def test_cases_behind_weights_are_written_without_the_own_ones() -> None:
    own = {"mine": {"sha256": ["aa"], "fold": 0}}
    rows = indirect_cases({"a": case(0, "aa"), "b": case(1, "bb")}, own, "start")
    assert rows == {"start/b": {"sha256": ["bb"], "fold": -1, "labels": "behind"}}
    assert KnownCase.model_validate(rows["start/b"]).labels == "behind"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A bundle of two folds, and an ensemble of it with itself."""
    torch.set_num_threads(1)
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "task": {"kind": "binary", "names": ["dot"]},
            "data": {"kind": "folder"},
            "network": {"kind": "dncnn", "depth": 3, "width": 4, "residual": False},
            "frame": {"size": [32, 32]},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
        }
    )
    weights = recipe.network.build(1, 1).state_dict()
    members = [MemberWeights(f"fold{k}", weights, k, "main", 0.5, Fixed()) for k in range(2)]
    bundle = Bundle.make(recipe, members, cases={"a": case(0, "aa"), "b": case(1, "bb")})
    other = Bundle.make(recipe, members, cases={"x": case(0, "xx"), "y": case(1, "yy")})
    folder = tmp_path_factory.mktemp("bundles")
    bundle.save(folder / "run" / "bundle")
    join([Part("one", bundle, 1.0), Part("two", other, 1.0)], MeanOf()).save(folder / "joined")
    return SimpleNamespace(folder=folder, bundle=bundle)


def test_a_file_of_weights_is_found_in_its_bundle(made: SimpleNamespace) -> None:
    folder = made.folder / "run" / "bundle"
    found = member_of_file(folder / "members" / "fold1.safetensors")
    assert found is not None
    bundle, number = found
    assert (bundle.digest(), number) == (made.bundle.digest(), 1)
    (folder / "members" / "stray.safetensors").write_bytes(b"")
    assert member_of_file(folder / "members" / "stray.safetensors") is None
    assert member_of_file(Path(__file__)) is None


def test_in_an_ensemble_each_member_has_the_cases_of_its_own_training(
    made: SimpleNamespace,
) -> None:
    found = member_of_file(made.folder / "joined" / "members" / "two-fold0.safetensors")
    assert found is not None
    assert set(SeenCases.of_member(*found).cases) == {"x", "y"}
