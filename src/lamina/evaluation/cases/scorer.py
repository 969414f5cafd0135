"""What one process does of a score: tallies of some cases, which add up in any cut."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth as read_truth
from lamina.errors import DataError, RecipeError
from lamina.evaluation.breakdown import SizeTallies
from lamina.evaluation.tallies import MaskTallies, ValueTallies, input_parts
from lamina.evaluation.tallies import Part as Tallied
from lamina.geometry.region import Region
from lamina.model.metrics import AnyMetric
from lamina.prediction.folder.manifest import check_place
from lamina.prediction.folder.predictions import PredictedCase, Predictions
from lamina.volume import Crop

Part = Literal["all", "validate"]


@dataclass
class Scores:
    """Tallies of some cases, and what each tally belongs to."""

    tallies: MaskTallies | ValueTallies
    sizes: SizeTallies | None
    ids: list[str] = field(default_factory=list)
    """Of the cases that are scored."""
    folds: list[Hashable] = field(default_factory=list)
    """What tells apart the folds that held cases out; None: none did, or it is not known."""
    groups: list[str] = field(default_factory=list)

    def take(self, other: Scores) -> None:
        """Add the cases of another, after those that are here."""
        mine, others = self.tallies, other.tallies
        if isinstance(mine, MaskTallies) and isinstance(others, MaskTallies):
            mine.take(others)
        if isinstance(mine, ValueTallies) and isinstance(others, ValueTallies):
            mine.take(others)
        if self.sizes is not None and other.sizes is not None:
            self.sizes.take(other.sizes)
        self.ids += other.ids
        self.folds += other.folds
        self.groups += other.groups


@dataclass(frozen=True)
class CaseScorer:
    """Scores cases of a prediction against the truth; can be sent to another process."""

    predictions: Predictions
    metric: AnyMetric
    root: Path
    """The folder that holds the truth."""
    part: Part = "all"
    by_size: bool = False

    def only(self, ids: Sequence[str]) -> CaseScorer:
        """Return a scorer that knows these cases alone, so that little is sent."""
        cases = tuple(self.predictions.case(id) for id in ids)
        info = self.predictions.info.model_copy(update={"cases": cases})
        ledger = self.predictions.ledger.only(ids)
        return replace(self, predictions=Predictions(self.predictions.folder, info, ledger))

    def scores(self) -> Scores:
        """Return the tallies of no case.

        Raises:
            RecipeError: the metric is for another kind of task.
        """
        task = self.predictions.task
        return Scores(self._tallies(), SizeTallies(task) if self.by_size else None)

    def score(self, id: str, case: Case) -> Scores:
        """Return the tallies of one case; of the held-out sections of a volume one for each.

        Raises:
            DataError: prediction and truth differ in shape, or a file is damaged.
        """
        task, found = self.predictions.task, self.scores()
        found.ids.append(id)
        whole = not self.metric.adds_up or self.by_size
        for box in self._boxes(id, case):
            parts = self._parts(id, case, box, whole=whole)
            found.tallies.add_parts(parts if found.sizes is None else found.sizes.passing(parts))
            if isinstance(found.tallies, ValueTallies) and case.image.channels == task.outputs:
                found.tallies.add_input(input_parts(case, box, task, whole=whole))
            found.folds.append(_fold(self.predictions.case(id)))
            found.groups.append(case.group)
        return found

    def _tallies(self) -> MaskTallies | ValueTallies:
        metric, task = self.metric, self.predictions.task
        values = task.kind == "restore"
        if not (metric.values if values else metric.masks):
            raise RecipeError(
                f"the metric {metric.kind} is for {'masks' if values else 'values'}, and task.kind "
                f"is {task.kind}; name another one by --metric"
            )
        if values:
            return ValueTallies(metric, task)
        decision = self.predictions.decision
        return MaskTallies(
            metric,
            task,
            foreground=getattr(decision, "foreground", None),
            foreground_area=getattr(decision, "foreground_area", 0),
        )

    def _boxes(self, id: str, case: Case) -> Iterator[Region]:
        """Yield what counts as one case: the whole of it, or each of its held-out ranges."""
        check_place(self.predictions.case(id), case.image)
        shape = self.predictions.case(id).shape
        if shape != case.image.shape:
            raise DataError(
                f"case {id}: the prediction has the shape {shape}, the ground truth "
                f"{case.image.shape} ({case.image.name}); these are not the same images"
            )
        if self.part == "all":
            yield Region.whole(shape)
            return
        cut, folds = self.predictions.info.recipe.split.assign([case], self.root)
        for section, fold in zip(cut, folds, strict=True):
            if fold >= 0 and isinstance(section.image, Crop):
                yield section.image.box

    def _parts(self, id: str, case: Case, box: Region, *, whole: bool) -> Iterator[Tallied]:
        """Yield answer, decided masks and truth inside ``box``, slab by slab unless ``whole``."""
        for region, prob, answer in self._decided(id, whole=whole):
            inside = region.clip_to(box)
            if 0 in inside.shape:
                continue
            at = (slice(None), *inside.shift(tuple(-a for a in region.start)).slices)
            here = case if inside.shape == case.image.shape else case.crop(inside, case.id)
            yield prob[at], answer[at], *read_truth(here, self.predictions.task)

    def _decided(
        self, id: str, *, whole: bool
    ) -> Iterator[tuple[Region, NDArray[Any], NDArray[Any]]]:
        if not whole:
            yield from self.predictions.decided(id)
            return
        prob = self.predictions.prob(id)
        values = self.predictions.task.kind == "restore"
        answer = prob if values else self.predictions.decision(prob)
        yield Region.whole(prob.shape[1:]), prob, answer


def _fold(case: PredictedCase) -> Hashable:
    """Return what tells folds apart: cases held out together have the same members."""
    return case.members if case.known == "held_out" else None
