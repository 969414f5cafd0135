"""The loss."""

from __future__ import annotations

from typing import Any

from lamina.plan.rules.base import Setting, Situation

_THIN = 8.0  # pixels


def loss(now: Situation) -> list[Setting]:
    """Return a loss of pixels, and one of overlap where classes are told."""
    facts = now.facts
    kind = facts.task["kind"]
    if kind == "restore":
        name = "l1" if facts.data["kind"] == "corrupt" else "charbonnier"
        return [Setting("loss[]", {"kind": name}, "less blurred than the mean square")]
    first = "cross_entropy" if kind == "multiclass" else "bce"
    dice: dict[str, Any] = {"kind": "dice"}
    why = "overlap, which the metric counts"
    if kind != "binary":
        dice["absent"] = "skip"
        why += "; a class that is not in a batch says nothing"
    elif now.blocks:
        dice["over"] = "batch"
        why += "; a block may show none of the class"
    elif facts.classes is not None and facts.classes.width < _THIN:
        dice["over"] = "batch"
        why += f"; lines of {facts.classes.width:.0f} pixels are few in each crop"
    return [
        Setting("loss[]", {"kind": first}, "every pixel"),
        Setting("loss[]", dice, why),
    ]
