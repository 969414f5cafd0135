"""Which crops training draws."""

from __future__ import annotations

from typing import Any

from lamina.plan.rules.base import ENOUGH_TO_CALIBRATE, Setting, Situation

_EMPTY = 0.4  # share of empty cases from which on cases with a class are drawn more often
_RARE = 0.01  # share of pixels


def _batch(now: Situation) -> int:
    if now.blocks:
        return 2
    rows, columns = now.settled["frame.size"]
    small = rows * columns <= 128 * 128 and not now.restores
    return 16 if small and not now.layered else 8


def sampling(now: Situation) -> list[Setting]:
    """Return batch and sampler; how many crops an epoch has is settled by the probe."""
    facts = now.facts
    size = now.settled["frame.size"]
    found = [Setting("train.batch", _batch(now), f"crops of {' x '.join(map(str, size))}")]
    kind: dict[str, Any] = {"kind": "random_crop"}
    if now.restores:
        return [*found, Setting("train.sampler", kind, "noise is everywhere")]
    if now.layered:
        return [*found, Setting("train.sampler", {"kind": "in_mask"}, "papyrus only")]
    classes = facts.classes
    share = sum(classes.shares) if classes is not None else 1.0
    whole = "frame.resize" in now.settled
    focus = 0.0 if whole else 0.5 if share < _RARE else 0.33
    empty = classes.empty / classes.known if classes is not None and classes.known else 0.0
    if empty > _EMPTY and not facts.deep:
        kind = {"kind": "balanced", "positive_rate": 0.6 if whole else 0.75}
        if not whole:
            kind["focus"] = 0.8
        why = f"{empty:.0%} of the cases are empty"
        if facts.groups >= ENOUGH_TO_CALIBRATE:
            why += "; calibration undoes the oversampling"
        return [*found, Setting("train.sampler", kind, why, "as they are, most crops show nothing")]
    if focus:
        kind["focus"] = focus
    why = "whole images" if whole else f"classes cover {share:.2%} of the pixels"
    return [*found, Setting("train.sampler", kind, why)]
