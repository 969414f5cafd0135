"""The base of all options: strict, frozen, and blind to later options at their default."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from lamina.spec import ADDED_LATER, Spec


class Before(Spec):
    size: int = 3


class After(Spec):
    size: int = 3
    speed: Annotated[float, Field(gt=0), ADDED_LATER] = 1.5
    mode: Annotated[str | None, ADDED_LATER] = None


class Outer(Spec):
    inner: After = After()


def test_a_later_option_is_written_only_where_it_is_set() -> None:
    assert After().model_dump_json() == Before().model_dump_json()
    assert After(speed=2).model_dump() == {"size": 3, "speed": 2.0}
    assert Outer().model_dump(mode="json") == {"inner": {"size": 3}}
    assert Outer.model_validate(Outer(inner=After(mode="a")).model_dump()).inner.mode == "a"


def test_a_later_option_is_checked_and_known_to_the_schema() -> None:
    with pytest.raises(ValidationError):
        After(speed=0)
    assert set(After.model_json_schema()["properties"]) == {"size", "speed", "mode"}


def test_unknown_names_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError):
        Before.model_validate({"sise": 3})
    with pytest.raises(ValidationError):
        Before().size = 4  # type: ignore[misc]
