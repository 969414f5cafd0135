"""Paths as public functions take them, and results as they return them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import RecipeError
from lamina.public import VerbResult, as_path, as_paths
from lamina.result.decisions import Threshold


class Custom:
    """A path object of another library."""

    def __fspath__(self) -> str:
        return "runs/tiles"


@pytest.mark.parametrize("value", ["runs/tiles", Path("runs/tiles"), Custom()])
def test_a_path_is_text_or_any_path_object(value: Any) -> None:
    assert as_path(value) == Path("runs/tiles")
    assert as_paths(value) == [Path("runs/tiles")]
    assert as_paths([value, "other"]) == as_paths(iter([value, "other"]))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_text_becomes_what_pathlib_makes_of_it(text: str) -> None:
    if Path(text).parts[:1] != ("~",):
        assert as_path(text) == as_path(Path(text)) == Path(text)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """G10."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("~") == tmp_path
    assert as_path("~/runs") == as_path(Path("~/runs")) == tmp_path / "runs"
    assert as_path("~lock.png") == Path("~lock.png")  # such as an office program leaves


@pytest.mark.parametrize("value", [None, 3, b"runs", ["runs"], True, os])
def test_what_is_no_path_is_refused_by_name_and_type(value: Any) -> None:
    with pytest.raises(RecipeError, match=r"^data is .*; give a path as text or as a path"):
        as_path(value, "data")


@pytest.mark.parametrize("value", ["", "a\0b"])
def test_text_that_names_nothing_is_refused(value: str) -> None:
    with pytest.raises(RecipeError, match=r"^data is .*; that is no path"):
        as_path(value, "data")


def test_several_paths_are_at_least_one_and_the_wrong_one_is_counted() -> None:
    with pytest.raises(RecipeError, match="inputs is empty; name at least one"):
        as_paths([], "inputs")
    with pytest.raises(RecipeError, match=r"^inputs\[1\] is None; .* not NoneType"):
        as_paths(["a", None], "inputs")  # type: ignore[list-item]


@dataclass(frozen=True)
class Part(VerbResult):
    name: str


@dataclass(frozen=True)
class Whole(VerbResult):
    out: Path
    parts: tuple[Part, ...]
    by_name: Mapping[str, Part]
    decision: Threshold
    score: float | None
    skipped: int | None = None

    def _not_applicable(self) -> set[str]:
        return {"skipped"} if self.skipped is None else set()


def test_a_result_is_frozen_and_turns_into_json() -> None:
    decision = Threshold(threshold=0.4)
    result = Whole(Path("a/b"), (Part("x"),), {"y": Part("y")}, decision, None)
    values = {
        "out": str(Path("a/b")),
        "parts": [{"name": "x"}],
        "by_name": {"y": {"name": "y"}},
        "decision": decision.model_dump(mode="json"),
        "score": None,
    }
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == values
    assert dataclasses.replace(result, skipped=2).to_dict() == {**values, "skipped": 2}
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.out = Path("c")  # type: ignore[misc]
