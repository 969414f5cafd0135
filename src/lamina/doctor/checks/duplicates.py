"""The same image more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, first_names


@dataclass(frozen=True)
class Duplicates:
    """By their pixels, whatever the file is called; in two folds they flatter every score."""

    most: int = 10
    """Groups of equal images that are named."""
    name: str = "duplicates"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name groups of equal images, first those that stand in different folds."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number, look in enumerate(examined.looks):
            if look.problem is None and look.image_digest and look.low < look.high:
                groups[look.image_digest].append(number)
        double = [numbers for numbers in groups.values() if len(numbers) > 1]
        folds = examined.folds
        leaks = [one for one in double if folds and len({folds[k] for k in one}) > 1]
        for numbers in leaks[: self.most]:
            yield Finding(
                "error",
                first_names(self._names(examined, numbers)),
                "are the same image in different folds: a leak",
                "keep one, or give them one group (split.groups)",
            )
        for numbers in [one for one in double if one not in leaks][: self.most]:
            what = f"{len(numbers)} images are the same"
            remedy = "keep one, unless that is intended"
            yield Finding("warning", first_names(self._names(examined, numbers)), what, remedy)
        if not double and groups:
            yield Finding("fine", "images", "no duplicates")

    def _names(self, examined: Examined, numbers: list[int]) -> list[str]:
        folds = examined.folds
        ids = [examined.looks[k].case.id for k in numbers]
        if folds is None:
            return ids
        return [f"{id} (fold {folds[k]})" for id, k in zip(ids, numbers, strict=True)]
