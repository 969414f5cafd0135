"""How the weights are learnt; epochs are settled by the probe."""

from __future__ import annotations

from lamina.plan.rules.base import Setting, Situation


def training(now: Situation) -> list[Setting]:
    """Return optimiser, schedule and which weights are kept."""
    facts = now.facts
    if now.restores:
        optimizer = {"kind": "adamw", "lr": 1e-3, "weight_decay": 0}
        why = "the laptop recipes of denoising"
    elif facts.task["kind"] == "multilabel":
        optimizer = {"kind": "adamw", "lr": 5e-4, "weight_decay": 0.05}
        why = f"{_rarest(now)}: it overfits at a higher rate"
    else:
        rate = 2e-3 if now.settled["train.batch"] >= 16 or now.layered else 1e-3
        optimizer = {"kind": "adamw", "lr": rate}
        why = f"batches of {now.settled['train.batch']}"
    found = [
        Setting("train.optimizer", optimizer, why),
        Setting("train.schedule", {"kind": "warmup_cosine"}, "ends at a rate of 0"),
        Setting("train.clip_norm", 1, _clip_why(now)),
    ]
    split = now.settled.get("split", {})
    if split.get("kind") == "sections":
        why = "sections of one volume are scored, so they choose no epoch"
        found.append(Setting("train.member", "last", why))
    return found


def _rarest(now: Situation) -> str:
    classes = now.facts.classes
    if classes is None or not classes.cases:
        return "several classes"
    return f"the rarest of {len(classes.cases)} classes is in {min(classes.cases)} cases"


def _clip_why(now: Situation) -> str:
    if now.restores:
        return "no single crop may move the weights far"
    return "overlap of small objects has spiky gradients"
