"""Which cases are held out."""

from __future__ import annotations

from typing import Any

from lamina.plan.rules.base import Setting, Situation

_GAP = 8  # slices from which on one is left out between both sides


def split(now: Situation) -> list[Setting]:
    """Return folds that keep groups together, or sections where there are too few groups."""
    facts = now.facts
    if facts.split:
        value: dict[str, Any] = {**facts.split, **_groups(now)}
        return [Setting("split", value, f"the folds of {facts.split.get('path')}")]
    if facts.parts:
        parts = ", ".join(f"{name}/ ({count})" for name, count in facts.parts.items())
        return [Setting("split", {"kind": "folders"}, f"cases lie in {parts}")]
    if facts.groups < 2:
        return [_sections(now)]
    return _folds(now)


def _groups(now: Situation) -> dict[str, Any]:
    return dict(now.facts.grouped_by)


def _folds(now: Situation) -> list[Setting]:
    facts = now.facts
    count = 5 if facts.groups >= 10 else 3 if facts.groups >= 6 else min(facts.groups, 4)
    why = f"{facts.cases} cases in {facts.groups} groups"
    found = [
        Setting("split.kind", "folds", why),
        Setting(
            "split.count",
            count,
            _count_why(facts.groups),
            "5 folds need 10 groups" if count < 5 else "10 folds would take twice the time",
        ),
    ]
    for key, value in _groups(now).items():
        found.append(Setting(f"split.{key}", value, facts.group_evidence))
    classes = facts.classes
    if classes is not None and not facts.deep and not now.layered:
        rare = classes.empty or len(classes.cases) > 1
        if rare and facts.groups >= 2 * count:
            least = min(classes.cases)
            why = f"{classes.empty} of {classes.known} are empty; the rarest class is in {least}"
            found.append(Setting("split.stratify", "classes", why))
    return found


def _count_why(groups: int) -> str:
    if groups >= 10:
        return f"{groups} groups"
    if groups >= 6:
        return f"{groups} groups are too few for five folds"
    if groups <= 4:
        return f"only {groups} groups: each fold holds one of them out"
    return f"only {groups} groups: each fold holds one or two of them out"


def _sections(now: Situation) -> Setting:
    """Return a quarter of the one case as held out, with a gap before it."""
    facts = now.facts
    axis = facts.cut or facts.axes[max(range(len(facts.axes)), key=lambda k: facts.shape[k])]
    length = facts.least[facts.axes.index(axis)]
    held = max(1, round(length / 4))
    gap = 0 if length < _GAP else max(1, length // 20)
    if length < 2:
        return Setting(
            "split", {"kind": "folds", "count": 1}, "one case of one slice: nothing is held out"
        )
    value = {
        "kind": "sections",
        "axis": axis,
        "train": [[0, length - held - gap]],
        "validate": [[length - held, length]],
    }
    what = "one case" if facts.cases == 1 else "one group"
    said = f"{what}: the last {held} of {length} along {axis} are held out"
    said += f", {gap} left out between" if gap else "; too few for a gap"
    return Setting("split", value, said, "folds need two groups at least")
