"""Whether the cases can be split as the recipe says, and into what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Patient
from lamina.doctor.finding import Area, Finding, counted


@dataclass(frozen=True)
class Groups:
    """Images of one patient, plate or scan belong on one side of a split (L12, L14)."""

    name: str = "groups"
    area: Area = "data"

    def __call__(self, patient: Patient) -> Iterator[Finding]:
        """Say why a split fails, or the sizes of groups and folds."""
        if patient.split_problem is not None:
            remedy = "see `split` in the recipe"
            yield Finding("error", "split", patient.split_problem, remedy)
            return
        cases = patient.cases
        if patient.recipe is None or not cases:
            return
        sizes = Counter(case.group for case in cases)
        largest, most = sizes.most_common(1)[0]
        said = f"{counted(len(cases), 'case')} in {counted(len(sizes), 'group')}"
        said += f", the largest '{largest}' of {most}" if most > 1 else ", one each"
        yield Finding("fine", "groups", said)
        if patient.folds is not None:
            held = Counter(patient.folds)
            folds = ", ".join(f"{fold}: {held[fold]}" for fold in sorted(held))
            yield Finding("fine", "folds", f"cases by fold {folds}")
