"""From a source and changes to the one tree of values that a recipe is checked from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.options.nodes import Node, Problem
from lamina.recipe.yaml import overrides as changes
from lamina.recipe.yaml.merge import imply_stage, merge_members, merge_train
from lamina.recipe.yaml.sources import read_chain


@dataclass(frozen=True)
class Resolved:
    """A recipe after extends, changes and ``train``, with the place of every value."""

    root: Node
    train: Node | None
    """What was laid under each stage; None: nothing."""

    problems: tuple[Problem, ...]


def resolve(source: Path | str, overrides: Sequence[str] = ()) -> Resolved:
    """Read a recipe and all it extends, make the changes, lay ``train`` under the stages.

    Raises:
        RecipeError: a file cannot be read; smaller problems are in the result.
    """
    base, problems = read_chain(source)
    implied = imply_stage(base)
    root, more = changes.apply(implied, overrides)
    problems += more
    if implied is not base and isinstance(root.value, dict) and "train" not in root.value:
        root = _without_unused_stage(root, implied)
    root, train = merge_train(merge_members(root))
    if train is not None and train.value is not None and not isinstance(train.value, dict):
        problems.append(Problem(train.where, f"train is {train}; input should be a mapping"))
    return Resolved(root, train, tuple(problems))


def _without_unused_stage(root: Node, implied: Node) -> Node:
    """Take the implied stage away again where nothing speaks of training."""
    if not (isinstance(root.value, dict) and isinstance(implied.value, dict)):
        return root
    if root.value["stages"] is not implied.value["stages"]:
        return root
    return Node({key: part for key, part in root.value.items() if key != "stages"}, root.where)
