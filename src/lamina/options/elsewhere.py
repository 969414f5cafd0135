"""Options by the last words of their name: ``epochs`` is ``train.epochs``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from lamina.options.fields import Model, items_of, kinds_of, models_of, options_of, part_of
from lamina.options.nodes import Node, item_label

Path = tuple[str, ...]


_ALIKE = 0.8  # one letter of five may differ


class OptionNames:
    """The dotted name of every option that a recipe may have.

    Options of stages are named once, as ``train.…``; those of a list by their item, where the
    recipe has that item; those of a choice by what the recipe has chosen.
    """

    def __init__(self, model: Model, root: Node) -> None:
        """``model`` is what the recipe must be, ``root`` the recipe as far as it was read."""
        found = set(_paths(model, root, ()))
        self._paths = sorted(found, key=lambda path: (len(path), path[0] != "train", path))

    def ending(self, words: Sequence[str]) -> list[str]:
        """Return the options whose names end with ``words``, such as optimizer, lr."""
        wanted, count = tuple(words), len(words)
        found = [path for path in self._paths if len(path) > count and path[-count:] == wanted]
        return [".".join(path) for path in found]

    def like(self, word: str) -> list[str]:
        """Return the options whose last word is nearest to ``word``; maybe none."""
        last = difflib.get_close_matches(word, {path[-1] for path in self._paths}, 1, _ALIKE)
        return self.ending(last) if last else []


def _paths(model: Model, node: Node | None, above: Path) -> Iterator[Path]:
    """Yield the path of every option of a model and below it."""
    for name, field in options_of(model).items():
        below = None if node is None else part_of(node, name)
        if not above and name == "stages":
            yield from _paths(items_of(field.annotation)[0], _first_item(below), ("train",))
            continue
        path = (*above, name)
        yield path
        if (chosen := _chosen(models_of(field.annotation), below, field.default)) is not None:
            yield from _paths(chosen, below, path)
        for item in _items(below):
            label, kinds = item_label(item), items_of(field.annotation)
            if label is not None and (chosen := _chosen(kinds, item, None)) is not None:
                yield from _paths(chosen, item, (*path, label))


def _chosen(models: Sequence[Model], node: Node | None, default: Any) -> Model | None:
    """Return the model that the recipe takes here, or else the default's."""
    if len(models) == 1:
        return models[0]
    kind = None if node is None else part_of(node, "kind")
    for model in models:
        if kind is not None and kind.value in kinds_of(model):
            return model
    return next((model for model in models if type(default) is model), None)


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _first_item(node: Node | None) -> Node | None:
    return next(iter(_items(node)), None)
