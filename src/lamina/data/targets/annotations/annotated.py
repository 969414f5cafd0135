"""From annotated shapes with the names of their classes to the cases of a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.data.case import Case
from lamina.data.targets.annotations.shapes import Outside, Shape, ShapesTarget, facts_of
from lamina.errors import DataError, RecipeError
from lamina.task import Task
from lamina.volume import Volume


@dataclass(frozen=True)
class Annotated:
    """The annotations of an image."""

    shapes: Mapping[str, Sequence[Shape]]
    """By the name of their class."""

    size: tuple[int, int] | None = None
    """Rows and columns that the annotations are for; None: they do not say."""

    files: tuple[str, ...] = ()
    """Files that hold the annotations of this image alone."""

    ignored: Sequence[Shape] = ()
    """Areas that do not count."""


@dataclass(frozen=True)
class Outputs:
    """Which channel of a target each class is."""

    names: tuple[str, ...]
    channels: Mapping[str, int]
    """By the name of the class; others are left out."""


def outputs_of(
    task: Task, found: Iterable[str], classes: Sequence[str] | None, root: Path
) -> Outputs:
    """Return the outputs of a task for annotated classes.

    Args:
        task: Multilabel, with a channel for each class, or binary: any class.
        found: Names of the classes there are, in order.
        classes: Those that are taken; None: all.
        root: The data folder, for messages.

    Raises:
        RecipeError: the task is of another kind; classes are taken that are not there; classes
            are there that the task does not name.
    """
    found = list(found)
    if task.kind not in ("multilabel", "binary"):
        raise RecipeError(
            f"task.kind is '{task.kind}', but annotated shapes may overlap; set task.kind to "
            "multilabel, or to binary for any class"
        )
    lost = [name for name in classes or () if name not in found]
    if lost:
        raise RecipeError(
            f"data.classes names {', '.join(lost)}; classes are {', '.join(found) or 'none'}"
        )
    taken = found if classes is None else list(classes)
    if task.kind == "binary":
        names = task.names or ("foreground",)
        if len(taken) > 1 and names[0] in taken:
            raise RecipeError(
                f"task.names is {names[0]}, one of the classes {', '.join(taken)}; set "
                f"data.classes: [{names[0]}] to take it alone, or another name for any class"
            )
        return Outputs(names, dict.fromkeys(taken, 0))
    names = tuple(taken) if task.names is None else task.names
    odd = [name for name in taken if name not in names]
    if odd:
        raise RecipeError(
            f"task.names lists {', '.join(names)}, and there are annotations of {', '.join(odd)}; "
            "name them, or leave them out by data.classes"
        )
    if not names:
        raise DataError(
            f"{root}: there is no annotation, so the classes are unknown; set task.names"
        )
    return Outputs(names, {name: names.index(name) for name in taken})


def annotated_case(id: str, path: Path, image: Volume, found: Annotated, outputs: Outputs) -> Case:
    """Return an image with its annotations as a case.

    Raises:
        DataError: the image has more than two axes, or another size than its annotations.
    """
    if len(image.shape) != 2:
        raise DataError(f"{path}: has axes '{image.axes}' {image.shape}; needed is one plane")
    size = (image.shape[0], image.shape[1])
    if found.size is not None and found.size != size:
        raise DataError(
            f"{path}: is {size[0]} x {size[1]} (rows x columns), and its annotations are for "
            f"{found.size[0]} x {found.size[1]}; take the images that were annotated"
        )
    channels: list[list[Shape]] = [[] for _ in outputs.names]
    for name, shapes in found.shapes.items():
        if name in outputs.channels:
            channels[outputs.channels[name]] += shapes
    target = ShapesTarget(f"annotations of {id}", size, tuple(map(tuple, channels)))
    ignored = ShapesTarget(f"ignored areas of {id}", size, (tuple(found.ignored),))
    digest = target.digest() + (ignored.digest() if found.ignored else "")
    return Case(
        id,
        id,
        image,
        target,
        Outside(ignored) if found.ignored else None,
        files=(str(path),),
        facts=facts_of(target.areas()),
        label_files=found.files,
        label_digest="" if found.files else digest,
    )
