"""Cases whose masks show nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, first_names


@dataclass(frozen=True)
class Empty:
    """Empty masks are right where nothing is to be found, and wrong where nobody drew (L07)."""

    name: str = "empty"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Say the share of empty masks; refuse data without any class, and name such folds."""
        if examined.recipe is None or examined.recipe.task.kind == "restore":
            return
        known = [look for look in examined.looks if look.case.target is not None]
        empty = [look.case.id for look in known if look.empty]
        if not known:
            return
        share = f"{len(empty)} of {len(known)} cases have no class ({len(empty) / len(known):.1%})"
        if len(empty) == len(known):
            yield Finding("error", "masks", share, "check data.labels and the table of masks")
            return
        volumes = [look for look in known if len(look.case.image.axes) > 2 and look.empty]
        if volumes:
            remedy = "leave them out if they were not labelled (data.exclude, or data.empty: drop)"
            yield Finding("warning", first_names(empty), share, remedy)
        else:
            yield Finding("note" if empty else "fine", "masks", share)
        yield from _folds(examined)


def _folds(examined: Examined) -> Iterator[Finding]:
    if examined.folds is None:
        return
    for fold in sorted(set(examined.folds) - {-1}):
        held = [look for look, at in zip(examined.looks, examined.folds, strict=True) if at == fold]
        if all(look.empty for look in held):
            what = f"none of its {len(held)} cases has any class; its score says nothing"
            remedy = "try split.stratify: count, or fewer folds"
            yield Finding("warning", f"fold {fold}", what, remedy)
