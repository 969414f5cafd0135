"""From a layout to the fingerprint: cases opened, labels understood, pixels measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data.case import Case
from lamina.data.catalogs import AnyCatalog
from lamina.data.layouts.split_folders import own_split
from lamina.data.network_input.normalise import is_grey
from lamina.data.views.corrupted import Corrupted
from lamina.data.views.resampling.spacing import differ
from lamina.doctor.case_statistics import CaseStatistics, statistics_of
from lamina.doctor.checks.exif import Exif
from lamina.doctor.checks.flat import Flat
from lamina.doctor.checks.nodata import NoData
from lamina.doctor.checks.ranges import Ranges
from lamina.doctor.examined import Examined
from lamina.errors import DataError, RecipeError
from lamina.geometry.tiling.axis_order import seen_order
from lamina.plan.fingerprint.facts import Facts
from lamina.plan.fingerprint.groups import Grouping, groups_of
from lamina.plan.fingerprint.label_values import LabelMeaning, meaning_of, restored_names
from lamina.plan.fingerprint.options import catalog_of, laid_over
from lamina.plan.fingerprint.pixels import MOST, cut_axis, pixels_of
from lamina.plan.fingerprint.symmetry import symmetry_of
from lamina.plan.layouts import Match
from lamina.plan.tree import Tree
from lamina.task import Task
from lamina.volume import Volume, placement_of, without_view

_TIME = "ms"  # the unit of samples of SEG-Y
_GREY = 16  # colour images that may be grey


@dataclass(frozen=True)
class Wishes:
    """What the command line says of the data."""

    groups: str | None = None
    spacing: tuple[float, ...] | None = None
    reading: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Options of the catalog, laid over those of the layout."""


def fingerprint(tree: Tree, match: Match, wishes: Wishes) -> Facts:
    """Return the facts of a data folder.

    Args:
        tree: Of the folder.
        match: How it is laid out.
        wishes: What the command line adds.

    Raises:
        DataError: files cannot be read or do not belong together; labels mean nothing plain.
        RecipeError: what ``wishes`` say does not suit the data.
    """
    meaning = meaning_of(tree, match, wishes.reading)
    data = laid_over({**match.data, **meaning.data}, wishes.data)
    cases, task = _opened(tree.root, catalog_of(data, wishes.data), meaning)
    steps = _steps_of(cases, data, wishes.spacing)
    if steps is not None:
        data["spacing"] = steps
        cases, task = _opened(tree.root, catalog_of(data, wishes.data), meaning)
    looks = _looks(cases)
    grouping = groups_of(tree, cases, wishes.groups, looks)
    pixels = pixels_of(cases, task)
    alike, mirrored = symmetry_of(looks)
    spacings = _spacings(cases, wishes.spacing)
    shapes = np.array([case.image.shape for case in cases])
    return Facts(
        name=tree.root.resolve().name,
        layout=match.choice,
        evidence=match.evidence,
        data=data,
        task={"kind": task.kind, "names": list(task.names or ())},
        meaning=meaning.said,
        split=match.split,
        cases=len(cases),
        groups=grouping.count,
        grouped_by=grouping.options,
        group_evidence=grouping.said,
        twins=grouping.twins,
        axes=cases[0].image.axes,
        shape=tuple(int(n) for n in np.median(shapes, axis=0)),
        least=tuple(int(n) for n in shapes.min(0)),
        greatest=tuple(int(n) for n in shapes.max(0)),
        channels=_channels(cases, task),
        dtype=str(cases[0].image.dtype),
        spacing=None if spacings is None else tuple(np.median(spacings, axis=0).tolist()),
        spacing_spread=0.0 if spacings is None else _spread(spacings),
        roughness=pixels.roughness,
        cut=cases[0].image.axes[cut_axis(cases[0])] if len(cases[0].image.axes) > 2 else "",
        alike=alike,
        mirrored=mirrored,
        intensity=pixels.intensity,
        classes=pixels.classes,
        read_cases=pixels.read_cases,
        read_share=pixels.read_share,
        bytes=_size(cases),
        parts=own_split([case.id for case in cases]),
        uneven=_uneven(cases, wishes.spacing),
        time=_time(cases[0].image),
        options_set=tuple(sorted(wishes.data)),
        notes=(*match.notes, *meaning.notes, *_notes(looks, grouping)),
    )


def _opened(root: Path, catalog: AnyCatalog, meaning: LabelMeaning) -> tuple[list[Case], Task]:
    task = Task.model_validate(meaning.task)
    listing = catalog.open(root, task)
    if task.kind == "multilabel" and len(listing.names) == 1:
        task = Task(kind="binary", names=listing.names)
        listing = catalog.open(root, task)
    if not listing.cases:
        raise DataError(f"{root}: no cases, though the layout was recognised")
    ranks = sorted({case.image.axes for case in listing.cases})
    if len(ranks) > 1:
        raise DataError(
            f"{root}: images have the axes {' and '.join(ranks)}; keep one kind, the others apart"
        )
    clean = [replace(c, image=without_view(c.image, Corrupted)[0]) for c in listing.cases]
    names = listing.names
    if task.kind == "restore":
        names = restored_names(root, clean)
        task = task.model_copy(update={"names": names})
    return sorted(clean, key=lambda case: case.id), task.found(names)


def _channels(cases: Sequence[Case], task: Task) -> int:
    most = max(case.image.channels for case in cases)
    if most != 3 or len(cases[0].image.axes) > 2 or task.kind == "restore":
        return most
    steps = max(1, len(cases) // _GREY)
    coloured = [case for case in cases[::steps] if case.image.channels > 1]
    return 1 if all(is_grey(case.image) for case in coloured) else most


def _steps_of(
    cases: Sequence[Case], data: Mapping[str, Any], wanted: tuple[float, ...] | None
) -> list[float] | None:
    """Return ``data.spacing`` (z, y, x) for what ``--spacing`` says; None: nothing is to be set.

    Raises:
        RecipeError: ``-s data.spacing`` says it, too.
    """
    axes = cases[0].image.axes
    if wanted is None or len(wanted) != len(axes) or data["kind"] != "volume_pairs":
        return None
    if "spacing" in data:
        raise RecipeError(
            "--spacing and -s data.spacing both say how far voxels are apart; leave one out"
        )
    return [float(wanted[k]) for k in seen_order(axes)]


def _spacings(cases: Sequence[Case], wanted: tuple[float, ...] | None) -> Any:
    axes = len(cases[0].image.axes)
    if wanted is not None:
        if len(wanted) != axes:
            raise DataError(
                f"--spacing has {len(wanted)} numbers, and images have the axes "
                f"{cases[0].image.axes}; give one for each"
            )
        return np.array([wanted])
    placed = [placement_of(case.image) for case in cases]
    if any(one.units is not None and len(set(one.units)) > 1 for one in placed):
        return None  # such as lines and milliseconds
    return _stacked([one.spacing for one in placed], axes)


def _stacked(steps: Sequence[Sequence[float | None] | None], axes: int) -> Any:
    """Return (cases, axes) steps; None: not all are known."""
    if any(one is None or None in one or len(one) != axes for one in steps):
        return None
    return np.abs(np.array(steps, np.float64))


def _uneven(cases: Sequence[Case], wanted: tuple[float, ...] | None) -> tuple[str, ...]:
    """Return the pairs of axes along which pixels of some case lie differently far apart."""
    axes = cases[0].image.axes
    placed = [placement_of(case.image) for case in cases]
    steps = _stacked([one.spacing for one in placed], len(axes))
    steps = np.array([wanted]) if wanted is not None else steps
    units = {one.units for one in placed if one.units is not None and len(one.units) == len(axes)}
    return tuple(
        axes[a] + axes[b]
        for a, b in combinations(range(len(axes)), 2)
        if any(own[a] != own[b] for own in units)
        or (steps is not None and differ(steps[:, a].tolist(), steps[:, b].tolist()))
    )


def _time(image: Volume) -> str:
    units = placement_of(image).units or ()
    return next((name for name, unit in zip(image.axes, units, strict=False) if unit == _TIME), "")


def _spread(spacings: Any) -> float:
    return round(float((spacings.max(0) / np.maximum(spacings.min(0), 1e-12)).max() - 1), 4)


def _size(cases: Sequence[Case]) -> int:
    files = {name for case in cases for name in (*case.files, *case.label_files)}
    return sum(path.stat().st_size for path in map(Path, files) if path.is_file())


def _looks(cases: Sequence[Case]) -> list[CaseStatistics]:
    """Return the doctor's statistics of images; none of volumes, and none of too many pixels."""
    pixels = sum(prod(case.image.shape) * case.image.channels for case in cases)
    if len(cases[0].image.axes) != 2 or pixels > MOST:
        return []
    return statistics_of(cases, None)


def _notes(looks: Sequence[CaseStatistics], grouping: Grouping) -> tuple[str, ...]:
    """Return what the doctor's checks say of images, and of twins."""
    seen = Examined(looks=tuple(looks))
    said = [
        f"{one.where}: {one.what}"
        for check in (Flat(), Ranges(), Exif(), NoData())
        for one in check(seen)
        if looks and one.level in ("warning", "error")
    ]
    for ids in grouping.joined:
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        said.append(f"{', '.join(ids[:3])}{more}: almost the same image, now of one group")
    return tuple(said)
