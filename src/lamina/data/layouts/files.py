"""Files of images and masks by the id of their case, in a folder or named by a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamina.data.layouts.patterns import CLASS, Pattern, by_id, by_id_and_class, is_pattern
from lamina.data.names import by_stem, relative_stem
from lamina.data.readers import PassedOver, images_below, look_below
from lamina.errors import RecipeError
from lamina.files import safe_join
from lamina.task import Task


@dataclass(frozen=True)
class MaskFiles:
    """The masks of a data folder."""

    of: Mapping[str, tuple[Path | None, ...]]
    """By id: one file, or one for each class; None: the class has no file for this id."""

    classes: tuple[str, ...] = ()
    """Names of the classes where each has files of its own."""

    def known_to(self, task: Task) -> Task:
        """Return the task with the names of the classes, where files name them.

        Raises:
            RecipeError: the task is neither multilabel nor binary.
        """
        if not self.classes or task.kind == "binary":
            return task
        return task.found(self.classes)


def files(root: Path, text: str, option: str) -> dict[str, Path]:
    """Return the files of a folder or a pattern below ``root`` by id, in order.

    Raises:
        DataError: there is none, or two have one id.
    """
    if is_pattern(text):
        return by_id(root, text, option)
    return by_stem(safe_join(root, text), option, root)


def has_class(text: str) -> bool:
    """Whether a pattern names a mask for each class."""
    return CLASS in text


def files_and_doubles(root: Path, text: str) -> tuple[dict[str, Path], list[str]]:
    """Return the files as ``files`` does, of several with one id the first, and what is wrong."""
    found: dict[str, Path] = {}
    problems = []
    if is_pattern(text):
        every = [(one.id, one.path) for one in Pattern(text).find(root)]
    else:
        folder = safe_join(root, text)
        every = [
            (relative_stem(path, folder), path)
            for path in (images_below(folder, root) if folder.is_dir() else ())
        ]
    for id, path in every:
        if id in found:
            problems.append(f"{path}: has the id '{id}', as {found[id]}; keep one of them")
        found.setdefault(id, path)
    if not every:
        problems.append(f"{root / text}: no image that is read")
    return dict(sorted(found.items())), problems


def mask_files(root: Path, text: str, task: Task) -> MaskFiles:
    """Return the masks that ``data.masks`` names.

    Raises:
        RecipeError: there is a mask for each class and the task is of another kind, or its names
            are not those of the classes.
        DataError: there is none, or two have one id.
    """
    if CLASS not in text:
        return MaskFiles({id: (path,) for id, path in files(root, text, "data.masks").items()})
    if task.kind not in ("multilabel", "binary"):
        raise RecipeError(
            f"task.kind is '{task.kind}', but masks of a file for each class may overlap; set "
            "task.kind to multilabel, or to binary for any class"
        )
    found = by_id_and_class(root, text, "data.masks")
    classes = sorted({label for labels in found.values() for label in labels})
    if task.kind == "multilabel" and task.names is not None:
        odd = [label for label in classes if label not in task.names]
        if odd:
            raise RecipeError(
                f"task.names lists {', '.join(task.names)}, and {root} has masks of the class "
                f"{odd[0]} (data.masks is '{text}'); name it, or take its masks away"
            )
        classes = list(task.names)
    of = {id: tuple(labels.get(label) for label in classes) for id, labels in found.items()}
    return MaskFiles(of, tuple(classes))


def not_matched(root: Path, *texts: str) -> list[PassedOver]:
    """Return what lies in the folders of patterns and is not read, or fits none of them.

    Args:
        root: The data folder.
        texts: Folders or patterns below it.
    """
    patterns = [Pattern(text) for text in texts if is_pattern(text)]
    plain = [safe_join(root, text) for text in texts if not is_pattern(text)]
    found: dict[Path, PassedOver] = {}
    for folder in _folders(root, texts):
        below = look_below(folder, root)
        found |= {one.path: one for one in below.passed}
        for path in below.images:
            name = path.relative_to(root).as_posix()
            fits = any(pattern.match(name) for pattern in patterns)
            if not fits and not any(path.is_relative_to(place) for place in plain):
                found[path] = PassedOver(path, f"fits none of {', '.join(texts)}")
    return [found[path] for path in sorted(found)]


def _folders(root: Path, texts: tuple[str, ...]) -> list[Path]:
    """Return the folders that patterns begin with, without those within another one."""
    names = {Pattern(text).folder if is_pattern(text) else text for text in texts}
    places = {safe_join(root, name) if name else root for name in names}
    there = sorted(place for place in places if place.is_dir())
    return [
        one
        for one in there
        if not any(one != other and one.is_relative_to(other) for other in there)
    ]
