"""The one base of everything a recipe can say: frozen, and unknown names are refused."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class AddedLater:
    """Marks an option that was added after recipes had been trained with its model.

    At its default it is left out of what is written, so that digests of recipes that do not know
    it stay what they were: ``minutes: Annotated[float | None, ADDED_LATER] = None``.
    """


ADDED_LATER = AddedLater()


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

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name, key in _added_later(type(self)):
            if getattr(self, name) == type(self).model_fields[name].default:
                written.pop(key, None)
        return written


@cache
def _added_later(model: type[Spec]) -> tuple[tuple[str, str], ...]:
    """Return the names of a model's later options, and what they are called when written."""
    return tuple(
        (name, field.serialization_alias or field.alias or name)
        for name, field in model.model_fields.items()
        if any(isinstance(mark, AddedLater) for mark in field.metadata)
    )


def kinds_of(union: Any) -> dict[str, type[Spec]]:
    """Return the components of a family by their ``kind``, in order.

    Args:
        union: Such as ``AnyLoss``: an annotated union of specs, or of one alone.
    """
    inner = get_args(union)[0] if get_origin(union) is Annotated else union
    return {one.model_fields["kind"].default: one for one in get_args(inner) or (inner,)}
