"""Whether the cases can be split as the recipe says, and into what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.layouts.split_folders import other_split
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted
from lamina.recipe.recipe import Recipe


@dataclass(frozen=True)
class Groups:
    """Images of one examined, plate or scan belong on one side of a split (L12, L14)."""

    name: str = "groups"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Say why a split fails, or the sizes of groups and folds."""
        if examined.split_problem is not None:
            remedy = "see `split` in the recipe"
            yield Finding("error", "split", examined.split_problem, remedy)
            return
        cases = examined.cases
        if examined.recipe is None or not cases:
            return
        yield from _own_split(examined.recipe, examined)
        sizes = Counter(case.group for case in cases)
        largest, most = sizes.most_common(1)[0]
        said = f"{counted(len(cases), 'case')} in {counted(len(sizes), 'group')}"
        said += f", the largest '{largest}' of {most}" if most > 1 else ", one each"
        yield Finding("fine", "groups", said)
        if examined.folds is not None:
            held = Counter(examined.folds)
            folds = ", ".join(f"{fold}: {held[fold]}" for fold in sorted(held))
            none = "nothing is held out: there will be no held-out score"
            said = none if set(held) == {-1} else f"cases by fold {folds}"
            yield Finding("fine", "folds", said)


def _own_split(recipe: Recipe, examined: Examined) -> Iterator[Finding]:
    """Name folders such as train/ and val/ that are not the recipe's split (WORK-5)."""
    said = [None if examined.root is None else recipe.data.parts_beside(examined.root)]
    if not recipe.split.by_folder:
        said.append(other_split((case.id for case in examined.cases), recipe.split.kind))
    for line in said:
        if line is not None:
            what, _, remedy = line.partition("; to ")
            yield Finding("warning", "split", what, f"to {remedy}" if remedy else "")
