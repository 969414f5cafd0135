"""The one base of everything a recipe can say: frozen, and unknown names are refused."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lamina.errors import OptionError


class AddedLater:
    """Marks an option that was added after recipes had been trained with its model.

    At its default it is left out of what is written, so that digests of recipes that do not know
    it stay what they were: ``minutes: Annotated[float | None, ADDED_LATER] = None``.
    """


ADDED_LATER = AddedLater()


class Spec(BaseModel):
    """A component: its fields are the recipe's options, its docs are the docs of the recipe.

    Raises:
        OptionError: an option is not known, missing, or its value cannot be; every problem is
            listed with the nearest valid word.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        serialize_by_alias=True,  # what is written down reads again
    )

    def __init__(self, **values: Any) -> None:
        """Check the options; those of a part may be a mapping or a component."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            from lamina.options.arguments import explain_arguments

            raise OptionError(explain_arguments(error, type(self), values)) from error

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # parts are made without it

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name, key in _added_later(type(self)):
            if getattr(self, name) == type(self).model_fields[name].default:
                written.pop(key, None)
        return written

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return pydantic's schema with the doc of every option as its description."""
        schema = handler(core_schema)
        options = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in option_docs(cls).items():
            options[cls.model_fields[name].alias or name].setdefault("description", text)
        return schema


@cache
def _added_later(model: type[Spec]) -> tuple[tuple[str, str], ...]:
    """Return the names of a model's later options, and what they are called when written."""
    return tuple(
        (name, field.serialization_alias or field.alias or name)
        for name, field in model.model_fields.items()
        if any(isinstance(mark, AddedLater) for mark in field.metadata)
    )


def kinds_of(union: Any) -> dict[str, Any]:
    """Return the components (classes) of a family by their ``kind``, in order.

    Args:
        union: Such as ``AnyLoss``: an annotated union of specs, or of one alone.
    """
    inner = get_args(union)[0] if get_origin(union) is Annotated else union
    return {one.model_fields["kind"].default: one for one in get_args(inner) or (inner,)}


@cache
def option_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring under each field of a model, by the field's name.

    They are read from the source when asked for: pydantic's ``use_attribute_docstrings`` reads it
    for every class, as often as lamina is started.
    """
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if parent is not Spec and issubclass(parent, Spec):
            found |= _docs_in(parent)
    return {name: text for name, text in found.items() if name in model.model_fields}


def _docs_in(model: type[BaseModel]) -> dict[str, str]:
    statement = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(statement, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(doc.value.value)
        for field, doc in zip(statement.body, statement.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }


def kind_of(spec: Spec) -> str:
    """Return the ``kind`` of a component, by which recipes and the command line call it."""
    return str(type(spec).model_fields["kind"].default)
