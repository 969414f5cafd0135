"""Random changes of training samples."""

from __future__ import annotations

import re

from lamina.plan.rules.base import Setting, Situation
from lamina.plan.rules.blocks import order_of

_SIDES = re.compile(r"(^|[^a-z])(left|right|l|r|sinister|dexter)([^a-z]|$)", re.IGNORECASE)
_ALIKE = 0.5  # correlation of thumbnails from which on images have a layout
_SAME = 0.7  # correlation of that layout with its mirror image, from which on it is the same
_APART = 0.9


def mirrors(now: Situation) -> tuple[str, str]:
    """Return the axes ``yx``, ``x``, ``y`` or ``""`` that images may be mirrored along, and why."""
    axes, why = _mirrors(now)
    time = now.facts.time
    if not axes or time not in _plane(now):
        return axes, why
    letter = "yx"[_plane(now).index(time)]
    return axes.replace(letter, ""), f"time runs along {time}, and never back"


def _mirrors(now: Situation) -> tuple[str, str]:
    facts = now.facts
    sided = [name for name in facts.names if _SIDES.search(name)]
    if sided:
        return "", f"classes {', '.join(sided)}: a mirror would exchange the sides"
    left = facts.classes.left if facts.classes is not None else ()
    if left and max(left) >= _APART and min(left) <= 1 - _APART:
        return "", "one class lies to the left, another to the right"
    if facts.deep or not facts.alike:
        return "yx", "nothing is known that a mirror would change: look at a few yourself"
    if facts.alike < _ALIKE:
        return "yx", f"images are not laid out alike (correlation {facts.alike:.2f})"
    up, across = facts.mirrored
    axes = ("y" if up >= _SAME else "") + ("x" if across >= _SAME else "")
    said = f"images are laid out alike ({facts.alike:.2f}); upside down {up:.2f}, left to right "
    return axes, f"{said}{across:.2f}"


def turns(now: Situation) -> bool:
    """Whether images look the same after quarter turns."""
    facts = now.facts
    axes = str(now.settled.get("frame.slices.axes", ""))
    if mirrors(now)[0] != "yx" or len(axes) > 1:
        return False
    rows, columns = _rough(now)
    size = now.settled["frame.size"]
    return (
        not any(set(pair) == set(_plane(now)) for pair in facts.uneven)
        and max(rows, columns) < 1.3 * min(rows, columns)
        and size[-2] == size[-1]
        and (facts.deep or now.restores)
    )


def _plane(now: Situation) -> tuple[str, str]:
    """Return the axes that a quarter turn exchanges: rows and columns of images or of blocks."""
    facts = now.facts
    if now.blocks:
        _, rows, columns = (facts.axes[k] for k in order_of(now))
    else:
        rows, columns = (name for name in facts.axes if name != facts.cut)
    return rows, columns


def _rough(now: Situation) -> tuple[float, float]:
    facts = now.facts
    rows, columns = (facts.roughness[facts.axes.index(name)] for name in _plane(now))
    return rows, columns


def augmentation(now: Situation) -> list[Setting]:
    """Return the transforms, what moves pixels first."""
    axes, why = mirrors(now)
    if now.blocks and (axes == "yx" or (axes and now.facts.time)):
        axes = f"z{axes}"
    found = [Setting("transforms[]", {"kind": "flip", "axes": axes, "p": 0.5}, why)] if axes else []
    if turns(now):
        value = {"kind": "rot90", "p": 0.75}
        found.append(Setting("transforms[]", value, "rows and columns are equally rough"))
    if now.restores:
        return found
    if not now.facts.deep and not now.layered:
        found.append(_affine(now))
    if now.blocks:
        value = {"kind": "affine", "rotate": 15, "scale": [0.85, 1.2], "shift": 0, "p": 0.3}
        found.append(Setting("transforms[]", value, "within slices, which turning leaves whole"))
    return [*found, *_values(now)]


def _laid_out(now: Situation) -> bool:
    """Whether images have a layout that a mirror would change."""
    return now.facts.alike >= _ALIKE and mirrors(now)[0] != "yx"


def _affine(now: Situation) -> Setting:
    facts = now.facts
    if _laid_out(now) and now.overfits:
        value = {"kind": "affine", "rotate": 15, "scale": [0.75, 1.35], "shift": 0.1, "p": 0.8}
        return Setting("transforms[]", value, now.overfits_why)
    weak = {"kind": "affine", "rotate": 10, "scale": [0.85, 1.2], "p": 0.7}
    if _laid_out(now):
        return Setting("transforms[]", weak, "as far as images that are laid out alike differ")
    if now.lines and not now.overfits and facts.classes is not None:
        said = f"lines of {facts.classes.width:.0f} pixels: much smaller, they would break"
        return Setting("transforms[]", weak | {"p": 0.5}, said)
    if now.underfits:
        return Setting("transforms[]", weak, now.underfits_why)
    value = {
        "kind": "affine",
        "rotate": 15,
        "scale": [0.7, 1.4],
        "shift": 0.1,
        "aspect": [0.8, 1.25],
        "p": 0.8,
    }
    if now.overfits:
        return Setting("transforms[]", value | {"rotate": 30}, now.overfits_why)
    known = facts.alike >= _ALIKE
    why = "images look alike when mirrored, too" if known else "no layout that it would break"
    return Setting("transforms[]", value, why)


def _values(now: Situation) -> list[Setting]:
    facts = now.facts
    if facts.deep and facts.dtype.startswith("float"):
        return [
            Setting("transforms[]", {"kind": "gamma", "p": 0.3}, "amplitudes without a scale"),
            Setting("transforms[]", {"kind": "noise", "p": 0.3}, "few volumes"),
        ]
    if said := _weak_why(now):
        value = {"kind": "brightness_contrast", "brightness": 0.2, "contrast": 0.2, "p": 0.5}
        found = [Setting("transforms[]", value, said)]
        if now.layered:
            found.append(Setting("transforms[]", {"kind": "noise", "p": 0.3}, "few fragments"))
        return found
    strong = {"kind": "brightness_contrast", "brightness": 0.3, "contrast": 0.4, "p": 0.8}
    blur = Setting("transforms[]", {"kind": "blur", "kernel": 5, "p": 0.2}, "focus may differ")
    noise = {"kind": "noise", "low": 0, "high": 0.1 if now.overfits else 0.04, "p": 0.3}
    return [
        Setting("transforms[]", strong, f"means of images spread {facts.intensity.between:.2f}"),
        Setting("transforms[]", {"kind": "gamma", "low": 0.6, "high": 1.6, "p": 0.5}, "as above"),
        *([] if now.lines else [blur]),  # which would take them
        Setting("transforms[]", noise, "light may differ"),
    ]


def _weak_why(now: Situation) -> str:
    """Return why grey values are changed but little; empty: nothing speaks for that."""
    facts = now.facts
    if facts.deep or now.layered:
        return "one kind of recording"
    if _laid_out(now) and not now.overfits:
        return f"means of images spread {facts.intensity.between:.2f}, laid out alike"
    return now.underfits_why if now.underfits else ""
