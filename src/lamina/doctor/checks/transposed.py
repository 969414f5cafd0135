"""Labels whose axes are exchanged against their image (FAULT-2, I14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lamina import seeding
from lamina.data.case import Case
from lamina.data.catalogs import VolumePairs
from lamina.data.orientation import is_turned
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding
from lamina.doctor.orientation.axis_names import stored_axes
from lamina.doctor.orientation.evidence import Box, Evidence, boxes_of, combine_evidence, orders_of
from lamina.progress import Bar
from lamina.recipe.recipe import Recipe


@dataclass(frozen=True)
class Transposed:
    """Volumes are judged each by itself, square images of one shape all together.

    What is measured stands in ``orientation``. Of 40 synthetic seismic volumes of 96^3 with five
    wrong orders each, all were found, and none was called wrong that was right; with noise as
    strong as the image 35 of 40 were found. Labels of another volume come to 2.3 standard
    deviations at most.
    """

    surer: float = 4.0
    """Standard deviations by which another order must agree better than the given one."""
    times: float = 2.0
    """How many times better it must agree."""
    least: float = 0.01
    """Agreement below which nothing is said: such a label has nothing to do with its image."""
    images: int = 200
    """Images that are looked at, of those of one shape."""
    name: str = "transposed"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the volumes that their labels fit better with axes exchanged, and which axes."""
        fit = [look.case for look in examined.looks if _can_turn(look)]
        volumes = [case for case in fit if len(case.image.axes) > 2]
        upright = 0
        with Bar("axes", len(volumes)) as bar:
            for case in volumes:
                evidence = _evidence([case], most=None)
                bar.advance(note=case.id)
                if evidence is not None and self.turned(evidence):
                    yield _volume(case, evidence, examined.recipe)
                else:
                    upright += 1
        if upright:
            what = "no other order of axes fits the labels better"
            yield Finding("fine", f"{upright} of {len(volumes)} volumes", what)
        flat: dict[tuple[int, ...], list[Case]] = defaultdict(list)
        for case in fit:
            if len(case.image.axes) == 2:
                flat[case.image.shape].append(case)
        for shape, cases in flat.items():
            yield from self._flat(shape, cases)

    def turned(self, evidence: Evidence) -> bool:
        """Whether another order of the axes clearly fits better than the given one."""
        best, given = evidence.agreement[evidence.best], evidence.agreement[0]
        clear = best >= max(self.times * given, self.least)
        return evidence.best != 0 and clear and evidence.surer[evidence.best] >= self.surer

    def _flat(self, shape: tuple[int, ...], cases: Sequence[Case]) -> Iterator[Finding]:
        some = cases[:: max(1, -(-len(cases) // self.images))]
        evidence = _evidence(some, most=2)
        where = f"{len(cases)} images of {' x '.join(map(str, shape))} with labels"
        if evidence is not None and self.turned(evidence):
            yield Finding(
                "error",
                where,
                f"masks fit the images better with rows and columns exchanged ({_said(evidence)})",
                "check how masks were exported, and whether run lengths go by rows or columns",
            )
        else:
            yield Finding("fine", where, "masks do not fit better with rows and columns exchanged")


def _volume(case: Case, evidence: Evidence, recipe: Recipe | None) -> Finding:
    order, axes = evidence.orders[evidence.best], case.image.axes
    data = None if recipe is None else recipe.data
    where = f"case {case.id}"
    what = f"its labels fit the image better with other axes ({_said(evidence)})"
    if is_turned(case.image):  # data.transpose is of arrays as they are stored
        remedy = (
            "its header or that of its labels is wrong: correct it, or set data.orientation to "
            "as_stored and look again"
        )
        return Finding("error", where, what, remedy)
    if not isinstance(data, VolumePairs):
        remedy = f"transpose its image by {list(order)} and save it again"
        return Finding("error", where, what, remedy)
    stored = stored_axes(data, case.id, axes, order)
    remedy = f"set data.transpose to {{{case.id}: {stored}}}, as --fix does"
    return Finding("error", where, what, remedy, {"transpose": {case.id: stored}})


def _can_turn(look: CaseStatistics) -> bool:
    read = look.problem is None and look.target_problem is None and not look.lost
    axes, shape = look.case.image.axes, look.case.image.shape
    shown = look.case.target is not None and look.low < look.high and not look.empty
    return read and shown and len(axes) in (2, 3) and len(orders_of(shape)) > 1


def _evidence(cases: Sequence[Case], *, most: int | None) -> Evidence | None:
    boxes: list[Box] = []
    for case in cases:
        rng = seeding.rng(0, "doctor", case.id)
        boxes += boxes_of(case, rng) if most is None else boxes_of(case, rng, most=most)
    return combine_evidence(orders_of(cases[0].image.shape), boxes)


def _said(evidence: Evidence) -> str:
    best, given = evidence.agreement[evidence.best], evidence.agreement[0]
    return (
        f"agreement {best:.3f} against {given:.3f}, {evidence.surer[evidence.best]:.0f} standard "
        "deviations"
    )
