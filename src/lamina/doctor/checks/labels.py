"""What masks hold: values that are no class, classes that are nowhere, masks that are all alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from lamina.data.targets.label_values import values_in
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding
from lamina.errors import DataError
from lamina.recipe.recipe import Recipe
from lamina.task import Task
from lamina.volume import Volume


@dataclass(frozen=True)
class Labels:
    """Every mask was read, through the meaning that the recipe gives to its values."""

    least_alike: int = 3
    """So many equal masks that are not empty are no coincidence (L08)."""
    name: str = "labels"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name masks that cannot be read, classes that are missing, and masks that repeat."""
        known = [look for look in examined.looks if look.case.target is not None]
        for look in known:
            if look.target_problem is not None:
                yield _odd(look, examined.recipe)
        if not known or examined.recipe is None or examined.recipe.task.kind == "restore":
            return
        yield from _classes(examined.looks, examined.recipe.task)
        repeated = Counter(look.target_digest for look in known if any(look.areas.values()))
        for digest, count in repeated.most_common(1):
            if count >= self.least_alike:
                first = next(look.case.id for look in known if look.target_digest == digest)
                what = f"{count} of {len(known)} masks are equal to this one"
                yield Finding("warning", f"case {first}", what, "check how masks were exported")


def _classes(looks: Sequence[CaseStatistics], task: Task) -> Iterator[Finding]:
    read = [look for look in looks if look.target_problem is None]
    if not read:
        return  # said of each
    total = sum(prod(look.case.image.shape) for look in read)
    for index, name in enumerate(task.names or ()):
        if task.kind == "multiclass" and index == 0:
            continue
        area = sum(look.areas.get(index, 0) for look in read)
        shown = sum(1 for look in read if look.areas.get(index))
        what = f"in {shown} of {len(read)} cases, {area / max(total, 1):.3%} of all pixels"
        if area:
            yield Finding("fine", f"class {name}", what)
        else:
            remedy = "take it out of task.names, or check data.labels"
            yield Finding("warning", f"class {name}", "is in no mask", remedy)


def _odd(look: CaseStatistics, recipe: Recipe | None) -> Finding:
    """Tell of a mask that cannot be read; one other value than 0 can only mean the one class."""
    where, what = f"case {look.case.id}", str(look.target_problem)
    stored = getattr(look.case.target, "source", None)
    if recipe is None or recipe.task.kind != "binary" or not isinstance(stored, Volume):
        return Finding("error", where, what, "see data.labels")
    try:
        values = sorted(values_in(stored).keys() - {0})
    except DataError:
        remedy = "do as it says" if "; " in what else "copy the file again"
        return Finding("error", where, what, remedy)
    if len(values) != 1 or getattr(recipe.data, "labels", {}) is not None:
        return Finding("error", where, what, "see data.labels")
    labels = {0: 0, values[0]: 1}
    remedy = f"set data.labels to {labels}, as --fix does"
    return Finding("error", where, what, remedy, {"labels": labels})
