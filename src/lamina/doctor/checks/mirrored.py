"""Labels that lie on their image mirrored, or upside down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from lamina import seeding
from lamina.data.case import Case
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted
from lamina.doctor.orientation.evidence import Box, Evidence, boxes_of, combine_evidence
from lamina.geometry.orientation import Turn
from lamina.progress import Bar
from lamina.volume import ArrayVolume, read_all

_LEAST_SIDE = 32
_PIXELS = 1 << 25  # of an image that is decoded as a whole
_BOXES = 96  # of all images together, at least


@dataclass(frozen=True)
class Mirrored:
    """Programs differ in where the first row is; a mask upside down trains to nothing.

    What is measured stands in ``orientation``: whether an image tells its label from what is
    around it, as it is and with axes run backwards. Volumes are judged each by itself, images all
    together, since masks of one export are wrong in one way. Of X-rays, steel, an EM stack and
    seismic volumes, labels in their place agree with 0.26 to 0.73 and mirrored ones mostly with
    0.04 at most; of 25 that were mirrored 24 were found, and of 10 in their place none.
    """

    surer: float = 4.0
    """Standard deviations by which a mirrored image must agree better than the given one."""
    times: float = 2.0
    """How many times better it must agree."""
    least: float = 0.01
    """Agreement below which nothing is said."""
    images: int = 200
    """Images that are looked at."""
    name: str = "mirrored"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the volumes, or say of the images, whose labels fit better mirrored."""
        if examined.recipe is None or examined.recipe.task.kind == "restore":
            return
        fit = [look.case for look in examined.looks if _can_turn(look)]
        volumes = [case for case in fit if len(case.image.axes) == 3]
        right = 0
        with Bar("mirrors", len(volumes)) as bar:
            for case in volumes:
                found = self._turn([case], most=32)
                bar.advance(note=case.id)
                if found is None:
                    right += 1
                else:
                    yield _finding(f"case {case.id}", "its labels fit", case.image.axes, *found)
        flat = [case for case in fit if len(case.image.axes) == 2]
        some = flat[:: max(1, -(-len(flat) // self.images))]
        most = max(2, -(-_BOXES // max(len(some), 1)))
        found = self._turn(some, most=most) if some else None
        if found is not None:
            where = counted(len(flat), "image") + " with labels"
            yield _finding(where, "masks fit", some[0].image.axes, *found)
        elif fit:
            what = "labels do not fit better mirrored"
            yield Finding("fine", f"{right + len(flat)} of {len(fit)} cases", what)

    def _turn(self, cases: Sequence[Case], *, most: int) -> tuple[Turn, Evidence] | None:
        """Return how the image would have to be mirrored; None: it lies as it should."""
        turns = _turns(len(cases[0].image.axes))
        boxes: list[Box] = []
        for case in cases:
            rng = seeding.rng(0, "doctor", "mirrored", case.id)
            boxes += boxes_of(_in_memory(case), rng, most=most, turns=turns)
        evidence = combine_evidence([turn.order for turn in turns], boxes)
        if evidence is None or evidence.best == 0:
            return None
        best, given = evidence.agreement[evidence.best], evidence.agreement[0]
        clear = best >= max(self.times * given, self.least)
        sure = evidence.surer[evidence.best] >= self.surer
        return (turns[evidence.best], evidence) if clear and sure else None


def _in_memory(case: Case) -> Case:
    """Return a small image with its target decoded once, since many boxes of it are looked at."""
    if len(case.image.shape) > 2 or prod(case.image.shape) > _PIXELS or case.target is None:
        return case
    image, target = (
        ArrayVolume(read_all(one), one.axes, one.name) for one in (case.image, case.target)
    )
    return replace(case, image=image, target=target)


def _turns(count: int) -> list[Turn]:
    """Return every way to run axes backwards, first none."""
    order = tuple(range(count))
    return [Turn(order, flipped) for flipped in product((False, True), repeat=count)]


def _finding(where: str, what: str, axes: str, turn: Turn, evidence: Evidence) -> Finding:
    names = [axis for axis, flip in zip(axes, turn.flipped, strict=True) if flip]
    best, given = evidence.agreement[evidence.best], evidence.agreement[0]
    said = (
        f"agreement {best:.3f} against {given:.3f}, {evidence.surer[evidence.best]:.0f} standard "
        "deviations"
    )
    return Finding(
        "error",
        where,
        f"{what} the image better with {' and '.join(names)} run backwards ({said})",
        "look at one; then save the labels flipped, or export them anew",
    )


def _can_turn(look: CaseStatistics) -> bool:
    read = look.problem is None and look.target_problem is None and not look.lost
    image = look.case.image
    shown = look.case.target is not None and look.low < look.high and not look.empty
    return read and shown and len(image.axes) in (2, 3) and min(image.shape) >= _LEAST_SIDE
