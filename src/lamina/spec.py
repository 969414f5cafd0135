"""The one base of everything a recipe can say: frozen, and unknown names are refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A component: its fields are the recipe's options, its docs are the docs of the recipe."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
        serialize_by_alias=True,  # what is written down reads again
    )
