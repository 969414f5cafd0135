"""How images are predicted."""

from __future__ import annotations

from lamina.plan.rules.augmentation import mirrors, turns
from lamina.plan.rules.base import Setting, Situation

_VIEWS = {"": "as_is", "x": "flip_x", "y": "flip_y", "yx": "flips"}


def prediction(now: Situation) -> list[Setting]:
    """Return tiles and views."""
    axes, why = mirrors(now)
    views = "dihedral" if turns(now) else _VIEWS[axes]
    if now.blocks and axes == "yx":
        views, why = "flips_yx", "four of eight mirror images: a CPU" if now.on_cpu else why
    if now.layered:
        views, why = "as_is", "layers are many"
    found = []
    if "frame.resize" in now.settled:
        found.append(Setting("predict.overlap", 0, "one tile holds the whole image"))
        found.append(Setting("predict.window", "constant", "one tile"))
    elif now.on_cpu:
        found.append(Setting("predict.overlap", 0.25, "a CPU: half the tiles of 0.5"))
    else:
        found.append(Setting("predict.overlap", 0.5, "a GPU"))
    found.append(Setting("predict.views", views, why))
    if now.layered:
        found.append(Setting("predict.only_valid", True, "nothing is asked outside the mask"))
    return found
