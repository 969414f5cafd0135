"""What counts, and how probabilities become masks."""

from __future__ import annotations

from typing import Any

from lamina.plan.rules.base import ENOUGH_TO_CALIBRATE, Setting, Situation


def decision(now: Situation) -> list[Setting]:
    """Return monitor, metric, calibration and decision."""
    facts = now.facts
    if now.restores:
        metric: dict[str, Any] = {"kind": "psnr"}
        return [
            Setting("monitor", {"kind": "psnr"}, "restored values"),
            Setting("metric", dict(now.wanted.metric or metric), "restored values"),
            Setting("decide", {"kind": "as_is"}, "values are the answer"),
        ]
    metric, why = _metric(now)
    monitor = {"kind": "dice", "over": "foreground"}
    monitored = "finer than scores of single images"
    if now.layered:
        monitor, monitored = metric, "the metric, over all pixels together"
    found = [
        Setting("monitor", monitor, monitored),
        Setting("metric", metric, why),
    ]
    oversampled = now.settled["train.sampler"]["kind"] == "balanced"
    if oversampled and facts.groups >= ENOUGH_TO_CALIBRATE:
        found.append(Setting("calibrate", "platt", "undoes the oversampling; kept if it helps"))
    if facts.task["kind"] == "multiclass":
        return [*found, Setting("decide", {"kind": "argmax"}, "classes exclude each other")]
    value = {"kind": "threshold", "threshold": 0.5}
    why = "the safe default; `lamina tune` also tries the expected score and minimum areas"
    return [*found, Setting("decide", value, why)]


def _metric(now: Situation) -> tuple[dict[str, Any], str]:
    facts, wanted = now.facts, now.wanted.metric
    if wanted is not None:
        return dict(wanted), "as asked for"
    if now.layered:
        return {"kind": "f_beta", "beta": 0.5, "over": "pooled"}, "as ink is scored"
    classes = facts.classes
    empty = classes.empty if classes is not None else 0
    if facts.cases == 1 or facts.groups < 2:
        one = "one case" if facts.cases == 1 else "one group"
        return {"kind": "dice", "over": "pooled"}, f"{one}: all held-out pixels together"
    over = "image_class" if facts.task["kind"] != "binary" else "image"
    value: dict[str, Any] = {"kind": "dice", "over": over, "empty": "one"}
    known = classes.known if classes is not None else 0
    rarest = min(classes.cases, default=known) if classes is not None else known
    if over == "image_class" and rarest < known:
        return (
            value,
            f"a class that is nowhere counts 1: the rarest is in {rarest} of {known} cases",
        )
    if not empty:
        return value, "every case shows something"
    return value, f"an empty mask counts 1 where nothing is: {empty} of {known} cases"
