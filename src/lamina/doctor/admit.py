"""Opening the data for the checks; where only the meaning of labels is wrong, with another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lamina.data.catalogs import AnyCatalog, Folder, Listing, VolumePairs
from lamina.doctor.finding import Finding, counted
from lamina.doctor.look import look_at
from lamina.doctor.patient import Patient, folds_of, loose_cases
from lamina.errors import DataError, LaminaError
from lamina.recipe.recipe import Recipe

MASKS = {0: 0, 255: 1}
"""What picture programs write for no and yes (L01)."""


def admit(patient: Patient, root: Path) -> tuple[Patient, Finding]:
    """Open the data and read all of them once.

    Args:
        patient: With a recipe, or none: then every readable file is an image without a label.
        root: The data folder.

    Returns:
        The patient with its cases, and what is to be said of the opening.

    Raises:
        LaminaError: the data cannot be opened.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder of the data by --data")
    recipe = patient.recipe
    if recipe is None:
        cases, broken = loose_cases(root)
        found = replace(patient, root=root, looks=tuple(look_at(cases, None)), broken=tuple(broken))
        return found, Finding("fine", str(root), counted(len(cases), "image"))
    data, listing, finding = _listed(recipe, root)
    task = recipe.task.found(listing.names)
    recipe = recipe.model_copy(update={"task": task, "data": data})
    patient = replace(patient, recipe=recipe, root=root)
    try:
        assigned, folds = recipe.split.assign(listing.cases, root)
    except LaminaError as error:
        patient = replace(patient, split_problem=str(error))
    else:
        patient = replace(patient, folds=folds_of(listing.cases, assigned, folds))
    return replace(patient, looks=tuple(look_at(listing.cases, task))), finding


def _listed(recipe: Recipe, root: Path) -> tuple[AnyCatalog, Listing, Finding]:
    data = recipe.data
    try:
        listing = data.open(root, recipe.task)
    except DataError as error:
        masks = _as_masks(recipe)
        if masks is None:
            raise
        try:
            listing = masks.open(root, recipe.task)
        except LaminaError:
            raise error from None
        remedy = "set data.labels to {0: 0, 255: 1}, as --fix does"
        return masks, listing, Finding("error", str(root), str(error), remedy, {"labels": MASKS})
    if not listing.cases:
        raise DataError(f"{root}: no cases found by data.kind '{data.kind}'")
    return data, listing, Finding("fine", str(root), counted(len(listing.cases), "case"))


def _as_masks(recipe: Recipe) -> Folder | VolumePairs | None:
    """Return the catalog with masks of 0 and 255, where that could be meant."""
    data = recipe.data
    if recipe.task.kind != "binary" or not isinstance(data, Folder | VolumePairs) or data.labels:
        return None
    return data.model_copy(update={"labels": MASKS})
