"""What ``score`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.evaluation.breakdown import GroupScore, SizeScore
from lamina.evaluation.verdict import Verdict
from lamina.prediction.predict_result import FailedInput
from lamina.public import VerbResult
from lamina.result.decisions import AnyDecision


@dataclass(frozen=True)
class ClassScore(VerbResult):
    """The scores of one class, or of one channel of restored values."""

    name: str
    """Name of the class."""
    value: float | None
    """The metric; None: the metric has none for single classes, or no case counts."""
    pooled_dice: float | None = None
    """Dice with the pixels of all cases pooled; None: no pixel anywhere, or restored values."""
    images: int | None = None
    """Number of cases with the class; None for restored values."""
    images_predicted: int | None = None
    """Number of cases predicted to have it; None for restored values."""
    precision: float | None = None
    """Share of the predicted pixels that are right; None: nothing is predicted."""
    recall: float | None = None
    """Share of the true pixels that are predicted; None: the class is nowhere."""
    auc: float | None = None
    """How well the highest probability tells cases with the class from those without; None: all
    or no cases have it."""

    def _not_applicable(self) -> set[str]:
        masks = {"pooled_dice", "images", "images_predicted", "precision", "recall", "auc"}
        return masks if self.images is None else set()


@dataclass(frozen=True)
class BestThreshold(VerbResult):
    """The threshold that is best on the cases scored."""

    value: float
    """The score there."""
    threshold: float
    """The threshold, 0 to 1."""


@dataclass(frozen=True)
class UnmatchedCases(VerbResult):
    """Cases that are only in the truth, or only in the prediction."""

    count: int
    """How many there are."""
    first: tuple[str, ...]
    """The ids of the first ten."""


@dataclass(frozen=True)
class ScoreResult(VerbResult):
    """How good a prediction is.

    Fields that default to None are for masks, except ``baseline_input``, which is for restored
    values.
    """

    metric: str
    """Title of the metric."""
    value: float
    """The metric over all cases."""
    baseline_empty: float | None
    """The same for the all-empty prediction; None for restored values."""
    classes: tuple[ClassScore, ...]
    """The classes without the background, or the channels, in the task's order."""
    cases: int
    """Number of cases scored; a volume is one case."""
    part: str
    """``all``, or ``validate``: only the held-out sections."""
    policy: str
    """Which members predicted: ``auto``, ``all`` or ``out_of_fold``."""
    known: Mapping[str, int]
    """Number of cases by what the members know of them: ``new``, ``held_out``, ``pseudo``,
    ``partly_seen`` or ``seen``."""
    decision: AnyDecision
    """The decision that made the masks."""
    recipe: str
    """Name of the recipe."""
    truth_only: UnmatchedCases
    """Cases that were not predicted."""
    prediction_only: UnmatchedCases
    """Predicted cases without truth."""
    failed: tuple[FailedInput, ...] = ()
    """Cases that were left out, since they could not be scored."""
    changes: tuple[str, ...] = ()
    """What was changed of the trained recipe for this prediction."""
    unfinished: tuple[str, ...] = ()
    """What each fold had trained, where a run stopped early predicted."""
    verdict: Verdict | None = None
    """Whether the score beats its baseline, and how surely; None: there is no baseline."""
    baseline_input: float | None = None
    """The metric for the images that were restored; None: their channels are not the target's."""
    empty_rule: str | None = None
    """How cases without the class count, in words; None: the metric has no such rule."""
    foreground_dice: float | None = None
    """Dice of all classes merged, all pixels pooled; by ``foreground_threshold`` where there is
    one."""
    foreground_threshold: float | None = None
    """The decision's threshold for any class; None: it has none."""
    foreground_area: int | None = None
    """Cases with fewer pixels above that threshold show no class."""
    foreground_dice_of_masks: float | None = None
    """Dice of the union of the final masks, all pixels pooled."""
    foreground_dice_best: BestThreshold | None = None
    """The highest Dice with a single global threshold and no minimum area, on these cases; a
    decision with thresholds per class or minimum areas may score higher."""
    pooled_dice: float | None = None
    """Mean over classes of Dice with all pixels pooled."""
    auc: float | None = None
    """How well the highest probability of any class tells cases with a class from those without;
    None: all or no cases have one."""
    cases_with_any: int | None = None
    """Number of cases with any class."""
    by_size: tuple[SizeScore, ...] | None = None
    """How many objects are found, by class and size; None: not asked for."""
    by_group: tuple[GroupScore, ...] | None = None
    """The metric of each group, the worst first; None: not asked for."""

    @property
    def of_masks(self) -> bool:
        """Whether masks were scored, not restored values."""
        return self.foreground_dice is not None

    def _not_applicable(self) -> set[str]:
        not_asked = {name for name in ("by_size", "by_group") if getattr(self, name) is None}
        if self.of_masks:
            return {"baseline_input"} | not_asked
        masks = {"empty_rule", "pooled_dice", "auc", "cases_with_any"}
        return masks | not_asked | {name for name in vars(self) if name.startswith("foreground_")}
