"""Fingerprints without files, for rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lamina.plan.fingerprint.facts import Classes, Facts, Intensity, Machine
from lamina.plan.rules import Rule, Setting, Situation, Wanted, settings_of

GIB = 2**30
CPU = Machine(device="cpu", memory=8 * GIB, cores=2, fast_bfloat16=True)
CUDA = Machine(device="cuda", memory=24 * GIB, cores=16, fast_bfloat16=True)

IMAGES = Facts(
    name="Tiles 1",
    layout="folder",
    evidence="40 of 40 images have masks",
    data={"kind": "folder", "images": "images", "masks": "masks", "labels": "binary"},
    task={"kind": "binary", "names": ["hole"]},
    meaning="labels hold 0, 255",
    split={},
    cases=40,
    groups=40,
    grouped_by={},
    group_evidence="each case by itself",
    twins=(),
    axes="yx",
    shape=(320, 300),
    least=(300, 290),
    greatest=(400, 400),
    channels=1,
    dtype="uint8",
    spacing=None,
    spacing_spread=0.0,
    roughness=(1.0, 1.1),
    cut="",
    alike=0.1,
    mirrored=(0.9, 0.9),
    intensity=Intensity(low=0, high=255, between=0.1, within=40),
    classes=Classes(
        shares=(0.05,), cases=(40,), extents=(0.2,), left=(0.5,), empty=0, known=40, width=4
    ),
    read_cases=40,
    read_share=1.0,
    bytes=1_000_000,
)
"""Forty grey images of one class."""

VOLUME = replace(
    IMAGES,
    data={"kind": "volume_pairs", "image": "raw.tif", "target": "rods.tif"},
    cases=1,
    groups=1,
    axes="zyx",
    shape=(20, 1024, 576),
    least=(20, 1024, 576),
    greatest=(20, 1024, 576),
    roughness=(2.7, 1.0, 1.0),
    cut="z",
)
"""One volume of twenty sections."""


def classes(facts: Facts, **changes: Any) -> Facts:
    """Return facts with other classes."""
    assert facts.classes is not None
    return replace(facts, classes=replace(facts.classes, **changes))


def settled(
    facts: Facts, *, machine: Machine = CPU, wanted: Wanted | None = None
) -> dict[str, Any]:
    """Return what all rules set, by key; items of lists together."""
    found: dict[str, Any] = {}
    for one in settings_of(facts, machine, wanted or Wanted()):
        assert one.why, one.key
        if one.key.endswith("[]"):
            found.setdefault(one.key[:-2], []).append(one.value)
        else:
            found[one.key] = one.value
    return found


def of_rule(rule: Rule, facts: Facts, **settings: Any) -> dict[str, Setting]:
    """Return what one rule sets by itself."""
    now = Situation(facts, CPU, Wanted(), settings)
    return {one.key: one for one in rule(now)}
