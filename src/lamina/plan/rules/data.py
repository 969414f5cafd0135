"""What the job is called, what is predicted, and where the data lie."""

from __future__ import annotations

import re

from lamina.doctor.finding import counted
from lamina.plan.fingerprint.facts import Facts
from lamina.plan.rules.base import Setting, Situation


def data(now: Situation) -> list[Setting]:
    """Return name, task and catalog as the layout says."""
    facts = now.facts
    name = re.sub(r"[^a-z0-9_-]+", "-", facts.name.lower()).strip("-_")
    name = name if name and name[0].isalpha() else f"data-{name}".rstrip("-")
    names = list(facts.names)
    size = " x ".join(map(str, facts.shape))
    kind = "volume" if facts.deep else "image"
    what = f"{counted(facts.cases, kind)}, median {size} ({facts.axes}), {facts.dtype}"
    found = [
        Setting("name", name, what),
        Setting("task", {"kind": facts.task["kind"], "names": names}, facts.meaning),
    ]
    for key, value in facts.data.items():
        why = facts.evidence if key == "kind" else _why(key, facts)
        found.append(Setting(f"data.{key}", value, why))
    if facts.data["kind"] == "corrupt" and "noise" not in facts.data:
        noise = [{"kind": "gaussian", "sigma": 25}]
        why = "no labels, so noise is added: set it to the noise of the images to be cleaned"
        found.append(Setting("data.noise", noise, why))
    return found


def _why(key: str, facts: Facts) -> str:
    if key in facts.options_set:
        return "as -s says"
    if key == "dicom":
        return "files of several frames: one of each"
    if key in ("labels", "ignore"):
        return facts.meaning
    return "as the files are laid out"
