"""Tables of codes that only repeat what folders of masks hold: no question is due for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lamina.data.case import Case
from lamina.data.catalogs import AnyCatalog
from lamina.data.layouts.files import files
from lamina.data.layouts.patterns import CLASS, Pattern
from lamina.data.readers import open_volume
from lamina.errors import LaminaError
from lamina.geometry.region import Region
from lamina.plan.layouts.base import Match
from lamina.plan.tree import Tree
from lamina.task import Task

MOST = 1 << 28
"""Pixels of masks that are compared."""


@dataclass(frozen=True)
class _Repeat:
    """What a table repeats, and in how many images that was looked at."""

    classes: tuple[str, ...]
    compared: int
    images: int


def without_repeats(tree: Tree, found: Sequence[Match], most: int = MOST) -> list[Match]:
    """Return the ways to read a folder without tables that say no more than masks in folders.

    A table is left out where each of its classes equals one and the same class of the folders in
    every image that is compared, and shows something in one of them. The way by the folders then
    says so in a note.

    Args:
        tree: Of the data folder.
        found: Ways that suit equally well.
        most: Pixels of masks that are compared; evenly spaced images, where there are more.
    """
    tables = [one for one in found if one.data["kind"] == "csv_rle"]
    folders = [one for one in found if one.data["kind"] == "folder"]
    if len(folders) != 1 or not tables:
        return list(found)
    (better,) = folders
    left, notes = [one for one in found if one is not better], []
    for one in tables:
        repeat = _repeat(tree, one, better, most)
        if repeat is None:
            continue
        left.remove(one)
        named = [name for name in repeat.classes if name]
        what = f"{', '.join(named)} of {better.detail}" if named else better.detail
        where = f"all {repeat.images} images"
        if repeat.compared < repeat.images:
            where = f"{repeat.compared} of {repeat.images} images, which were compared"
        notes.append(
            f"{one.data['table']} repeats {what} in {where}; --layout {one.choice} plans for it "
            "alone"
        )
    if not notes:
        return list(found)
    return [*left, replace(better, notes=(*better.notes, *notes))]


def _repeat(tree: Tree, table: Match, folder: Match, most: int) -> _Repeat | None:
    """Return what a table repeats; None: it says something that the folders do not."""
    try:
        catalog: Any = TypeAdapter(AnyCatalog).validate_python(table.data)
        cases = catalog.open(tree.root, Task.model_validate(table.task)).cases
        masks = _masks_by_image(tree.root, folder)
        names = sorted({name for own in masks.values() for name in own})
        if not cases or not names or any(Path(case.files[0]) not in masks for case in cases):
            return None
        return _compared(cases, masks, names, most)
    except LaminaError:  # the question is asked then, and planning says what is wrong
        return None


def _compared(
    cases: Sequence[Case], masks: Mapping[Path, Mapping[str, Path]], names: list[str], most: int
) -> _Repeat | None:
    chosen = _chosen(cases, len(names), most)
    outputs = 0 if chosen[0].target is None else chosen[0].target.channels
    equal = [set(names) for _ in range(outputs)]
    shown = [False] * outputs
    for case in chosen:
        assert case.target is not None
        target = np.asarray(case.target.read(Region.whole(case.target.shape))) > 0
        own = masks[Path(case.files[0])]
        for name in set().union(*equal):
            mask = _mask(own.get(name), target.shape[1:])
            if mask is None:
                return None
            for k, left in enumerate(equal):
                if name in left and not np.array_equal(mask, target[k]):
                    left.remove(name)
        if not all(equal):
            return None
        shown = [seen or bool(one.any()) for seen, one in zip(shown, target, strict=True)]
    if not outputs or not all(shown):
        return None
    return _Repeat(tuple(min(left) for left in equal), len(chosen), len(cases))


def _chosen(cases: Sequence[Case], classes: int, most: int) -> list[Case]:
    """Return evenly spaced cases, first those with a class, as many as the bound allows."""
    order = sorted(cases, key=lambda case: (case.facts.get("classes") == "", case.id))
    cost = sum(prod(case.image.shape) for case in cases) * (classes + 1)
    if cost <= most:
        return order
    count = max(1, int(len(order) * most / cost))
    places = np.linspace(0, len(order) - 1, count).round().astype(int)
    return [order[k] for k in sorted(set(places.tolist()))]


def _masks_by_image(root: Path, folder: Match) -> dict[Path, dict[str, Path]]:
    """Return the file of each class of each image; the class of masks without one is ``""``."""
    text = str(folder.data["masks"])
    if CLASS in text:
        of_masks = [(one.id, one.label or "", one.path) for one in Pattern(text).find(root)]
    else:
        of_masks = [(id, "", path) for id, path in files(root, text, "data.masks").items()]
    own: dict[str, dict[str, Path]] = defaultdict(dict)
    for id, name, path in of_masks:
        own[id][name] = path
    images = files(root, str(folder.data["images"]), "data.images")
    return {path: own[id] for id, path in images.items() if id in own}


def _mask(path: Path | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return where a mask is set; an empty one for no file; None: it is not one of one class."""
    if path is None:
        return np.zeros(shape, bool)
    volume = open_volume(path, target=True)
    values = np.asarray(volume.read(Region.whole(volume.shape)))
    highest = values.max(initial=0)
    if not np.isin(values, (0, highest)).all():
        return None
    return np.asarray((values > 0).any(0))
