"""Which option a place in a recipe is: a walk down the values and the models at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lamina.options.nodes import Node, item_label

Model = type[BaseModel]


@dataclass(frozen=True)
class Place:
    """Where a walk ended: keys and item numbers from the top, the value, what it may be."""

    path: tuple[str | int, ...]
    node: Node
    options: tuple[Model, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names that may stand here; empty: not a part with named options."""
        return tuple(name for model in self.options for name in options_of(model))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What ``kind`` may be here, sorted; empty: there is no choice."""
        return tuple(sorted(kind for model in self.options for kind in kinds_of(model)))


def walk(model: Model, root: Node, steps: Sequence[str | int]) -> Place:
    """Follow the location of a pydantic error down the recipe, as far as there are values.

    Such a location also holds the ``kind`` after a choice of models, and the names of the
    branches that pydantic tried; the user wrote neither, so they are not in the path.
    """
    node = root
    annotation: Any = model
    path: list[str | int] = []
    for step in steps:
        options = models_of(annotation)
        if len(options) > 1:  # the step is the kind that was chosen
            annotation = next((option for option in options if step in kinds_of(option)), None)
            continue
        below = part_of(node, step)
        if below is not None:
            annotation = _annotation_below(annotation, step)
            node = below
            path.append(step)
    return Place(tuple(path), node, tuple(models_of(annotation)))


def part_of(node: Node, step: str | int) -> Node | None:
    """Return the value at a key or item number, or None."""
    if isinstance(node.value, dict):
        return node.value.get(str(step))
    if isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step]
    return None


def models_of(annotation: Any) -> list[Model]:
    """Return the models that a value of this type may be."""
    return [
        part
        for part in _parts(annotation)
        if isinstance(part, type) and issubclass(part, BaseModel)
    ]


def items_of(annotation: Any) -> list[Model]:
    """Return the models that an item of a list of this type may be."""
    found: list[Model] = []
    for part in _parts(annotation):
        if get_origin(part) in (tuple, list):
            found += models_of(get_args(part)[0])
    return found


def named(root: Node, path: Sequence[str | int]) -> tuple[str, ...]:
    """Return a path as messages write it: items of lists by name or kind, where that is clear.

    An item whose own name or kind is the end of the path keeps its number, and so does one of
    several that are called alike.
    """
    words: list[str] = []
    node: Node | None = root
    for position, step in enumerate(path):
        below = None if node is None else part_of(node, step)
        label = None
        if isinstance(step, int) and node is not None and isinstance(node.value, list):
            labels = [item_label(item) for item in node.value]
            itself = path[position + 1 :] in (("name",), ("kind",))
            clear = below is not None and not itself and labels.count(labels[step]) == 1
            label = labels[step] if clear else None
        words.append(str(step) if label is None else label)
        node = below
    return tuple(words)


def options_of(model: Model) -> dict[str, FieldInfo]:
    """Return the fields of a model by the names that a recipe has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def kinds_of(model: Model) -> tuple[str, ...]:
    """Return what ``kind`` of this model may be; empty: it has none."""
    field = model.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return get_args(field.annotation)


def _parts(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [one for part in get_args(annotation) for one in _parts(part)]
    return [annotation]


def _annotation_below(annotation: Any, step: str | int) -> Any:
    for part in _parts(annotation):
        arguments = get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            field = options_of(part).get(str(step))
            return None if field is None else field.annotation
        if get_origin(part) is tuple and isinstance(step, int):
            endless = arguments[-1] is Ellipsis
            return arguments[0 if endless else min(step, len(arguments) - 1)]
        if get_origin(part) in (list, set, frozenset, Sequence):
            return arguments[0]
        if get_origin(part) in (dict, Mapping):
            return arguments[1]
    return None
