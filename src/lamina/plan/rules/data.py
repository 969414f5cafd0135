"""What the job is called, what is predicted, and where the data lie."""

from __future__ import annotations

import re
from typing import Any

from lamina.doctor.finding import counted
from lamina.plan.fingerprint.facts import Facts
from lamina.plan.rules.base import Setting, Situation

_SIXTEEN = 65535


def data(now: Situation) -> list[Setting]:
    """Return name, task and catalog as the layout says."""
    facts = now.facts
    name = re.sub(r"[^a-z0-9_-]+", "-", facts.name.lower()).strip("-_")
    name = name if name and name[0].isalpha() else f"data-{name}".rstrip("-")
    size = " x ".join(map(str, facts.shape))
    kind = "volume" if facts.deep else "image"
    what = f"{counted(facts.cases, kind)}, median {size} ({facts.axes}), {facts.dtype}"
    found = [
        Setting("name", name, what),
        _task(now),
    ]
    for key, value in facts.data.items():
        why = facts.evidence if key == "kind" else _why(key, facts)
        found.append(Setting(f"data.{key}", value, why))
    if facts.data["kind"] == "corrupt" and "noise" not in facts.data:
        found.append(_noise(now))
    return found


def _task(now: Situation) -> Setting:
    facts, unit = now.facts, unit_of_values(now)
    value: dict[str, Any] = {"kind": facts.task["kind"], "names": list(facts.names)}
    if unit is None:
        return Setting("task", value, facts.meaning)
    said = f"{facts.dtype} from {facts.intensity.low:g} to {facts.intensity.high:g}"
    return Setting(
        "task", {**value, "unit": unit}, f"{facts.meaning}, as shares of {unit:g}; {said}"
    )


def unit_of_values(now: Situation) -> float | None:
    """Return ``task.unit`` of images to which noise is added; None: what their type says.

    A type says nothing of floats and of whole numbers with a sign, and too much of 12 bits that
    are stored in 16.
    """
    facts = now.facts
    if facts.data["kind"] != "corrupt" or facts.dtype == "uint8":
        return None
    greatest = max(abs(facts.intensity.low), abs(facts.intensity.high))
    if not greatest or (facts.dtype == "uint16" and greatest > _SIXTEEN / 4):
        return None
    return float(f"{greatest:.3g}")


def _noise(now: Situation) -> Setting:
    """Return noise as strong as 25 of 255 is in photographs."""
    facts = now.facts
    within = facts.intensity.within
    sigma = 25.0 if facts.dtype == "uint8" or not within else float(f"{within / 2:.2g}")
    said = "no labels, so noise is added"
    if facts.dtype != "uint8":
        said += f", half as strong as values of an image differ ({within:g})"
    why = f"{said}: set it to the noise of the images to be cleaned"
    sigma = int(sigma) if sigma == int(sigma) else sigma
    return Setting("data.noise", [{"kind": "gaussian", "sigma": sigma}], why)


def _why(key: str, facts: Facts) -> str:
    if key in facts.options_set:
        return "as -s says"
    if key == "spacing":
        return "along z, y and x, as --spacing says"
    if key == "dicom":
        return "files of several frames: one of each"
    if key in ("labels", "ignore"):
        return facts.meaning
    return "as the files are laid out"
