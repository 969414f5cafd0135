"""The base of all options: strict, frozen, documented, blind to later options at default."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lamina.errors import OptionError
from lamina.model.networks import Smp, VolumeUnet
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.spec import ADDED_LATER, Spec, option_docs


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
    with pytest.raises(OptionError):
        After(speed=0)
    assert set(After.model_json_schema()["properties"]) == {"size", "speed", "mode"}


def test_unknown_names_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError):
        Before.model_validate({"sise": 3})
    with pytest.raises(ValidationError):
        Before().size = 4  # type: ignore[misc]


class Documented(BaseModel):
    """The same fields as ``Base``, described by pydantic."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["one"] = "one"
    count: int = Field(default=1, alias="number")
    """How many,

    in words."""
    plain: str = ""
    explicit: str = Field(default="", description="Said in the field.")
    """Said below it."""


class Base(Spec):
    kind: Literal["one"] = "one"
    count: int = Field(default=1, alias="number")
    """How many,

    in words."""
    plain: str = ""
    explicit: str = Field(default="", description="Said in the field.")
    """Said below it."""


class Child(Base):
    """A child."""

    plain: str = "no"
    """Now documented."""


def test_docs_are_those_below_the_fields_and_of_parents() -> None:
    assert option_docs(Base) == {
        "count": "How many,\n\nin words.",
        "explicit": "Said below it.",
    }
    assert option_docs(Child) == {**option_docs(Base), "plain": "Now documented."}


def test_the_schema_is_pydantic_s_with_attribute_docstrings() -> None:
    expected = Documented.model_json_schema()
    assert Base.model_json_schema()["properties"] == expected["properties"]


def _properties(model: type[Spec]) -> dict[str, object]:
    told: dict[str, object] = model.model_json_schema()["properties"]
    return told


@pytest.mark.parametrize("model", [Recipe, Stage, Smp, VolumeUnet])
def test_every_option_of_a_schema_is_described(model: type[Spec]) -> None:
    silent = [
        name
        for name, option in _properties(model).items()
        if isinstance(option, dict) and "description" not in option
    ]
    assert set(silent) <= {"kind"}
