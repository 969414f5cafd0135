"""Scores of probabilities, the same for every program: as they come, and with the best decision.

As they come: masks at 0.5, or what the program itself decides. Decided: one of the decisions that
`lamina tune` chooses among, by its evidence; it is fitted on the other test groups than those
decided, so that no group says how it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, images
from numpy.typing import NDArray

from lamina import load_recipe
from lamina.model.metrics import Psnr
from lamina.result.expected.column import Column
from lamina.result.search.threshold import Tables
from lamina.result.selection.candidates.plain import HALF, Plain
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.cross_fit import cross_fitted, select
from lamina.result.selection.ratio import Parts
from lamina.tuning.candidates import candidates_of

Case = tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]]


def cases_of(dataset: Dataset, folder: Path, answers: Path, shared: Path) -> list[Case]:
    """Return group, probabilities, mask and truth (K, rows, columns) of each image or block."""
    groups = dataset.group(shared)
    found = []
    for id, _, truth in images(folder / "test"):
        with np.load(answers / f"{id}.npz") as arrays:
            three = (arrays["prob"], arrays["mask"], truth)
        rows, columns = dataset.blocks
        if (rows, columns) == (1, 1):
            found.append((groups.get(id, id), *three))
            continue
        for y, x in product(range(rows), range(columns)):
            parts = [block(array, y, x, rows, columns) for array in three]
            found.append((f"block {y} {x}", *parts))
    return found


def block(array: NDArray[Any], y: int, x: int, rows: int, columns: int) -> NDArray[Any]:
    high, wide = array.shape[-2:]
    return array[
        ...,
        high * y // rows : high * (y + 1) // rows,
        wide * x // columns : wide * (x + 1) // columns,
    ]


def judged(dataset: Dataset, folder: Path, answers: Path, shared: Path) -> dict[str, Any]:
    """Return scores by metric: of the masks as they come, and of the decision chosen."""
    cases = cases_of(dataset, folder, answers, shared)
    if dataset.restores:
        answers_of = {"as they come": [prob for _, prob, _, _ in cases]}
        answers_of["nothing"] = [image[None] for _, image, _ in images(folder / "test")]
        truths = [truth for *_, truth in cases]
        found = {name: _psnr(values, truths) for name, values in answers_of.items()}
        return dict.fromkeys(dataset.metrics, found)
    names = sorted({group for group, *_ in cases})
    groups = np.array([names.index(group) for group, *_ in cases], np.int64)
    probabilities, masks = Tables(len(dataset.classes)), Tables(len(dataset.classes))
    for _, prob, mask, truth in cases:
        probabilities.add(prob, truth)
        masks.add(mask.astype(np.float16), truth)
    scores = {}
    for title, options in dataset.metrics.items():
        scores[title] = _scores(dataset, options, groups, probabilities, masks)
    return scores


def _psnr(answers: Sequence[NDArray[Any]], truths: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """Return the mean over images; each is a group."""
    metric = Psnr(peak=255)
    pairs = zip(answers, truths, strict=True)
    values = [float(metric.score([metric.tally(one, truth)]).value) for one, truth in pairs]
    parts = Parts(np.array(values)[:, None], np.ones((len(values), 1)))
    return by_group(parts, np.arange(len(values)))


def _scores(
    dataset: Dataset,
    options: Mapping[str, Any],
    groups: NDArray[np.int64],
    probabilities: Tables,
    masks: Tables,
) -> dict[str, Any]:
    names, kind = list(dataset.classes), "multilabel" if len(dataset.classes) > 1 else "binary"
    task = f"task={{kind: {kind}, names: [{', '.join(names)}]}}"
    said = ", ".join(f"{key}: {value}" for key, value in options.items())
    recipe = load_recipe("folder-laptop", (task, "data.labels=null", f"metric={{{said}}}"))
    aim = recipe.metric.aim(recipe.task.outputs)
    everything = np.arange(groups.size)
    columns = tuple(Column.of(counts) for counts in masks.thinned()[:-1])
    plain = Plain("", HALF, columns, Score.of(aim))
    found: dict[str, Any] = {
        "as they come": by_group(plain.judge(plain.fit(everything), everything), groups)
    }
    nothing = Plain("", 1.0, columns, Score.of(aim))
    found["nothing"] = by_group(nothing.judge(nothing.fit(everything), everything), groups)
    candidates = candidates_of(recipe, aim, groups, probabilities, None)
    chosen = select(candidates.listed, groups).chosen
    crossed = cross_fitted([candidates.listed[chosen]], groups, 0)[0]
    found["decided"] = by_group(crossed, groups) | {"decision": candidates.names[chosen]}
    return found


def by_group(parts: Parts, groups: NDArray[np.int64]) -> dict[str, Any]:
    """Return a score and the sums of each group that it comes from."""
    many = int(groups.max()) + 1
    sums = [
        [[round(float(v), 6) for v in row] for row in summed(side, groups, many)]
        for side in (parts.above, parts.below)
    ]
    nothing = None if np.isnan(parts.nothing) else parts.nothing
    return {"value": round(parts.score(), 5), "above": sums[0], "below": sums[1], "empty": nothing}


def summed(side: NDArray[np.float64], groups: NDArray[np.int64], many: int) -> Sequence[Any]:
    found = np.zeros((many, side.shape[1]))
    np.add.at(found, groups, side)
    return found
