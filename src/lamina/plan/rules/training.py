"""How the weights are learnt; epochs are settled by the probe."""

from __future__ import annotations

from typing import Any

from lamina.plan.rules.base import Setting, Situation


def training(now: Situation) -> list[Setting]:
    """Return optimiser, schedule and which weights are kept."""
    optimizer, why = _optimizer(now)
    schedule: dict[str, Any] = {"kind": "warmup_cosine"}
    if _draws_noise(now):
        schedule |= {"start": 0, "warmup_share": 0.02}
    found = [
        Setting("train.optimizer", optimizer, why),
        Setting("train.schedule", schedule, "ends at a rate of 0"),
        Setting("train.clip_norm", 1, _clip_why(now)),
    ]
    split = now.settled.get("split", {})
    if split.get("kind") == "sections":
        why = "sections of one volume are scored, so they choose no epoch"
        found.append(Setting("train.member", "last", why))
    return found


def _draws_noise(now: Situation) -> bool:
    return now.restores and bool(now.facts.data["kind"] == "corrupt")


def _optimizer(now: Situation) -> tuple[dict[str, Any], str]:
    if _draws_noise(now):
        value = {"kind": "adamw", "lr": 1.5e-3, "weight_decay": 0, "betas": [0.9, 0.99]}
        return value, "noise is drawn anew, so that training cannot overfit to it"
    if now.restores:
        return {"kind": "adamw", "lr": 1e-3, "weight_decay": 0}, "the laptop recipes of denoising"
    if now.facts.task["kind"] == "multilabel":
        if now.underfits:
            return {"kind": "adamw", "lr": 1e-3, "weight_decay": 0.05}, now.underfits_why
        why = f"{_rarest(now)}: it overfits at a higher rate"
        return {"kind": "adamw", "lr": 5e-4, "weight_decay": 0.05}, why
    batch = now.settled["train.batch"]
    rate = 2e-3 if batch >= 16 or now.layered else 1e-3
    if now.overfits:
        why = f"batches of {batch}; {now.overfits_why}"
        return {"kind": "adamw", "lr": rate, "weight_decay": 0.05}, why
    return {"kind": "adamw", "lr": rate}, f"batches of {batch}"


def _rarest(now: Situation) -> str:
    classes = now.facts.classes
    if classes is None or not classes.cases:
        return "several classes"
    return f"the rarest of {len(classes.cases)} classes is in {min(classes.cases)} cases"


def _clip_why(now: Situation) -> str:
    if now.restores:
        return "no single crop may move the weights far"
    return "overlap of small objects has spiky gradients"
