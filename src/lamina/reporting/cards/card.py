"""A case with its pictures and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.ground_truth import truth
from lamina.geometry.region import Region
from lamina.reporting.cards.chosen import Chosen
from lamina.reporting.cards.panels import (
    Panel,
    mask_panels,
    pictured,
    plane_panels,
    value_panels,
)
from lamina.reporting.cards.planes import down_of, planes
from lamina.reporting.run_contents import Run
from lamina.volume import Crop, read_all

_STRIP = 4  # width to height from which pictures lie below each other


@dataclass(frozen=True)
class Card:
    """A case as the page shows it."""

    id: str
    fold: int
    value: float
    facts: str
    panels: Sequence[Panel]
    columns: int
    """How many pictures lie beside each other."""


def card(run: Run, chosen: Chosen, side: int) -> Card:
    """Return the card of a case; its longer sides of pictures are at most ``side`` pixels."""
    judged = chosen.judged
    case, answer = judged.case, judged.answer()
    target, _ = truth(case, run.recipe.task)
    values = run.recipe.task.kind == "restore"
    exclusive = run.recipe.task.exclusive
    size = " × ".join(map(str, case.image.shape))
    note, columns = "", 4 if values else 3
    if len(case.image.shape) == 3 and not values:
        start = case.image.box.start if isinstance(case.image, Crop) else (0, 0, 0)
        down = down_of(case.image, run.recipe.frame)
        seen = planes(pictured(case.image), target, answer, down=down, start=start)
        panels = plane_panels(seen, side=side, background=exclusive)
    else:
        if len(case.image.shape) == 3:
            index = _worst_slice(answer, target)
            begin = case.image.box.start[0] if isinstance(case.image, Crop) else 0
            note = f", slice {case.image.axes[0]} = {begin + index}"
            answer, target = answer[:, index], target[:, index]
            rows, width = case.image.shape[1:]
            image = case.image.read(Region((index, 0, 0), (index + 1, rows, width)))[:, 0]
        else:
            image = read_all(pictured(case.image))
        draw = value_panels if values else mask_panels
        options = {} if values else {"background": exclusive}
        panels = draw(image, target, answer, side=side, **options)
        if image.shape[-1] > _STRIP * image.shape[-2]:
            columns = 1
    facts = f"{size}{note}{_in_words(run, chosen, target)}"
    return Card(case.id, judged.fold, judged.value, facts, panels, columns)


def _in_words(run: Run, chosen: Chosen, target: NDArray[np.generic]) -> str:
    if run.recipe.task.kind == "restore":
        return _more(chosen)
    first = int(run.recipe.task.exclusive)
    names = (run.recipe.task.names or ())[first:]
    there = [n for n, mask in zip(names, target[first:], strict=False) if mask.any()]
    voxels = "voxels" if len(chosen.judged.case.image.shape) == 3 else "pixels"
    wrong = f"{chosen.judged.wrong:,.0f} {voxels} wrong"
    return f" · {', '.join(there) or 'no class'} · {wrong}{_more(chosen)}"


def _more(chosen: Chosen) -> str:
    if not chosen.more:
        return ""
    return f" · and {chosen.more} more of group {chosen.judged.case.group}"


def _worst_slice(answer: NDArray[np.generic], target: NDArray[np.generic]) -> int:
    """Return the slice of the first axis in which most is wrong."""
    wrong = [
        np.abs(a.astype(np.float32) - t.astype(np.float32)).sum()
        for a, t in zip(np.moveaxis(answer, 1, 0), np.moveaxis(target, 1, 0), strict=True)
    ]
    return int(np.argmax(wrong))
