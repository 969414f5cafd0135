"""Opening the data for the checks; where the recipe is almost right, as it should have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from lamina.data.case import Case
from lamina.data.catalogs import AnyCatalog, Folder, Listing, VolumePairs
from lamina.data.layouts.proposals import proposed
from lamina.doctor.case_statistics import statistics_of
from lamina.doctor.examined import Examined, loose_cases, split_of
from lamina.doctor.finding import Finding, counted
from lamina.doctor.orientation.axis_names import transposed_volumes
from lamina.errors import DataError, LaminaError
from lamina.recipe.recipe import Recipe

Fix = Mapping[str, Any]

MASKS = {0: 0, 255: 1}
"""What picture programs write for no and yes (L01)."""

_VOID: Mapping[str, tuple[int, ...]] = {
    "binary": (-1,),
    "multilabel": (-1,),
    "multiclass": (-1, 255),
    "restore": (),
}
"""Values that may mark pixels that do not count; tried where nothing else makes the data open."""


def examine_data(examined: Examined, root: Path) -> tuple[Examined, Finding]:
    """Open the data and read all of them once.

    Args:
        examined: With a recipe, or none: then every readable file is an image without a label.
        root: The data folder.

    Returns:
        What could be opened, with its cases, and what is to be said of the opening.

    Raises:
        LaminaError: the data cannot be opened.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder of the data by --data")
    recipe = examined.recipe
    if recipe is None:
        loose, broken = loose_cases(root)
        found = replace(
            examined, root=root, looks=tuple(statistics_of(loose, None)), broken=tuple(broken)
        )
        return found, Finding("fine", str(root), counted(len(loose), "image"))
    data, listing, finding = _listed(recipe, root)
    task = recipe.task.found(listing.names)
    recipe = recipe.model_copy(update={"task": task, "data": data})
    examined = replace(examined, recipe=recipe, root=root, data=data)
    cases: Sequence[Case] = listing.cases
    try:
        assigned, folds = recipe.split.assign(listing.cases, root)
    except LaminaError as error:
        examined = replace(examined, split_problem=str(error))
    else:
        split = split_of(listing.cases, assigned, folds)
        if split is not None:
            cases, held = split
            examined = replace(examined, folds=held)
    return replace(examined, looks=tuple(statistics_of(cases, task))), finding


def admit_files(examined: Examined, root: Path) -> Examined:
    """Return the images of data that the recipe cannot open, without their labels.

    So what is wrong with the files is found in the same pass.
    """
    recipe = examined.recipe
    data = None if recipe is None else recipe.data
    try:
        folders = [folder for folder in data.folders(root)[:1] if folder.is_dir()] if data else []
        cases, broken = loose_cases(root, *folders)
    except LaminaError:
        return Examined(root=root)
    looks = tuple(statistics_of(cases, None))
    return Examined(root=root, data=data, looks=looks, broken=tuple(broken))


def _listed(recipe: Recipe, root: Path) -> tuple[AnyCatalog, Listing, Finding]:
    data = recipe.data
    try:
        listing = data.open(root, recipe.task)
    except DataError as error:
        for fix in _fixes(recipe, root):
            mended = _mended(data, fix)
            try:
                listing = mended.open(root, recipe.task)
            except LaminaError:
                continue
            said = "; ".join(f"data.{key} to {value}" for key, value in fix.items())
            remedy = f"set {said}, as --fix does"
            return mended, listing, Finding("error", str(root), str(error), remedy, fix)
        raise
    if not listing.cases:
        raise DataError(f"{root}: no cases found by data.kind '{data.kind}'")
    return data, listing, Finding("fine", str(root), counted(len(listing.cases), "case"))


def _fixes(recipe: Recipe, root: Path) -> Iterator[Fix]:
    """Yield what may be all that is wrong: the meaning of masks, the order of axes, or both."""
    data, found = recipe.data, list[Fix]()
    if recipe.task.kind == "binary" and isinstance(data, Folder | VolumePairs) and not data.labels:
        found.append({"labels": MASKS})
    if isinstance(data, Folder | VolumePairs) and data.ignore is None:
        found += [{"ignore": value} for value in _VOID[recipe.task.kind]]
    if isinstance(data, VolumePairs) and (axes := transposed_volumes(data, root)):
        found.append({"transpose": axes})
    if isinstance(data, Folder) and (layout := proposed(root)) is not None:
        found.append(layout.to_dict())
    yield from found
    for one, other in combinations(found, 2):
        if not one.keys() & other.keys():
            yield {**one, **other}


def _mended(data: AnyCatalog, fix: Fix) -> AnyCatalog:
    """Return the catalog with a fix before what it says itself."""
    update = {}
    for key, new in fix.items():
        if not isinstance(new, Mapping):
            update[key] = new
            continue
        own = getattr(data, key) or {}
        update[key] = {**new, **{name: own[name] for name in own if name not in new}}
    return data.model_copy(update=update)
