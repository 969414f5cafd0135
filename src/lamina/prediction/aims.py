"""From the metric of a recipe to the aim of a search."""

from __future__ import annotations

from lamina.errors import RecipeError
from lamina.model.metrics import AnyMetric, FBeta, Iou, RatioMetric
from lamina.result.search.result import Aim

_OVER = {
    "image_class": "case",
    "image": "case_foreground",
    "pooled": "class",
    "foreground": "foreground",
}


def aim_of(metric: AnyMetric, *, outputs: int) -> Aim:
    """Return what to search for, so that the metric is as high as it can be.

    Precision or recall alone is highest for an absurd mask; for them the aim is Dice, and so it
    is for Dice with a tolerance.

    Args:
        metric: The metric that is reported.
        outputs: Number of classes; with one, any class is that class and may have a minimum area.

    Raises:
        RecipeError: the metric compares values, for which there is nothing to decide.
    """
    if not isinstance(metric, RatioMetric):
        raise RecipeError(
            f"metric.kind is '{metric.kind}', which compares values; there is no decision to tune"
        )
    wrong = missed = 0.5
    if isinstance(metric, FBeta):
        wrong = 1 / (1 + metric.beta**2)
        missed = 1 - wrong
    elif isinstance(metric, Iou):
        wrong = missed = 1.0
    over = _OVER[metric.over]
    if outputs == 1:
        over = {"case_foreground": "case", "foreground": "class"}.get(over, over)
    return Aim.model_validate(
        {"over": over, "false_positive": wrong, "false_negative": missed, "empty": metric.empty}
    )
