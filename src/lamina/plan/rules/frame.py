"""What the network sees: slices, sizes, channels and normalised values."""

from __future__ import annotations

from typing import Any

from lamina.errors import RecipeError
from lamina.plan.rules.base import Setting, Situation
from lamina.plan.rules.blocks import block_size, blocks_why, in_blocks, is_even, spacing_of

_CROP, _GPU_CROP = 256, 512
_LINES = 96
_MULTIPLE = 32
_WHOLE = 0.4  # of the image's side, from which on an object is seen as a whole only
_EXPOSURE = 0.25  # spread of the means of images over that within images
_NEAR = 3.0  # difference of slices over that of pixels, up to which neighbours tell something
_CT = -900  # air, in Hounsfield units


def frame(now: Situation) -> list[Setting]:
    """Return the frame."""
    found = [_block(now)] if in_blocks(now) else [*_slices(now), *_sizes(now)]
    channels = now.facts.channels
    why = f"images have {channels}" if channels > 1 else "grey"
    if now.layered:
        why = f"{channels} layers"
    found.append(Setting("frame.channels", channels, why))
    if now.layered and channels > 4:
        see = _layers_seen(channels)
        found.append(
            Setting(
                "frame.depth",
                {"see": see, "factor": 1.2},
                f"{see} of {channels} layers at a time, from another depth in each sample",
            )
        )
    return [*found, _normalise(now)]


def _layers_seen(channels: int) -> int:
    return max(4, int(channels / 1.25) // 6 * 6 or 4)


def _slices(now: Situation) -> list[Setting]:
    facts, dims = now.facts, now.wanted.dims
    if not facts.deep:
        if dims == "2.5d":
            raise RecipeError(f"--dims is {dims}, and images have two axes; leave it out")
        return []
    near = facts.neighbours <= _NEAR and facts.slices > 2
    context = int(dims == "2.5d" or (dims == "auto" and near and not now.restores))
    said = f"neighbouring slices differ {facts.neighbours:.1f} times as much as neighbouring pixels"
    found = [
        Setting(
            "frame.slices.axes",
            _axes(now),
            _axes_why(now),
            "three axes: blocks of voxels take more time, try --dims 3d",
        )
    ]
    if context:
        found.append(
            Setting("frame.slices.context", 1, said, "context 0 would not see the neighbours")
        )
    return found


def _block(now: Situation) -> Setting:
    """Return the size of blocks of voxels."""
    said = " x ".join(f"{step:g}" for step in spacing_of(now))
    why = f"{blocks_why(now)}; voxels of {said} (z, y, x)"
    return Setting("frame.size", block_size(now), why, "slices: --dims 2d or 2.5d, more steps")


def _axes(now: Situation) -> str:
    """Return the axes that are cut across: the coarse one, or two of an even volume."""
    facts = now.facts
    if not is_even(now) or min(facts.shape) < _MULTIPLE:
        return facts.cut
    order = sorted(range(3), key=lambda k: (facts.axes[k] == facts.time, facts.roughness[k], k))
    return "".join(facts.axes[k] for k in sorted(order[:2]))


def _axes_why(now: Situation) -> str:
    facts = now.facts
    axes = _axes(now)
    if len(axes) == 1:
        steps = (
            f"spacing {' x '.join(f'{s:g}' for s in facts.spacing)}"
            if facts.spacing
            else (f"slices along {axes} differ {facts.neighbours:.1f} times as much as pixels")
        )
        return f"{steps}; {facts.slices} slices"
    kept = "time" if facts.time else "the roughest axis"
    return f"even along all axes; slices along {' and '.join(axes)} keep {kept} in view"


def _sizes(now: Situation) -> list[Setting]:
    facts = now.facts
    side = _CROP if now.on_cpu else _GPU_CROP
    rows, columns = facts.plane
    classes = facts.classes
    largest = max(classes.extents, default=0.0) if classes is not None else 0.0
    if not facts.deep and largest >= _WHOLE and min(rows, columns) > 1.25 * side:
        size = _fitted(rows, columns, side)
        said = f"objects span {largest:.0%} of images of {rows} x {columns}"
        return [
            Setting("frame.resize", size, said, "crops would not show a whole object"),
            Setting("frame.size", size, "whole images"),
        ]
    said = f"median image {rows} x {columns}"
    if now.restores:
        side = 64 if now.on_cpu else 128
        said += "; noise is seen in small crops"
    elif now.layered:
        side = 96 if now.on_cpu else 256
    elif now.on_cpu and now.lines:
        side = _LINES
        said += "; lines are seen in small crops"
    size = [min(side, max(_MULTIPLE, n // _MULTIPLE * _MULTIPLE)) for n in _planes(now)]
    return [Setting("frame.size", size, said, f"{2 * side} sees more, at a quarter of the steps")]


def _planes(now: Situation) -> tuple[int, int]:
    """Return rows and columns that crops of all slices fit into."""
    facts = now.facts
    axes = _axes(now) if facts.deep else ""
    if len(axes) < 2:
        return facts.plane
    least = min(facts.shape)
    return least, least


def _fitted(rows: int, columns: int, side: int) -> list[int]:
    """Return a size with the shape of the images, as multiples of 32."""
    scale = side / (rows * columns) ** 0.5
    if 0.75 <= rows / columns <= 4 / 3:
        return [side, side]
    return [max(_MULTIPLE, round(n * scale / _MULTIPLE) * _MULTIPLE) for n in (rows, columns)]


def _normalise(now: Situation) -> Setting:
    value, why, rejected = _restored(now) if now.restores else _segmented(now)
    return Setting("frame.normalise", value, why, rejected)


def _restored(now: Situation) -> tuple[dict[str, Any], str, str]:
    facts = now.facts
    scale = {"uint8": 255, "uint16": 65535}.get(facts.dtype)
    if "unit" in now.settled["task"]:
        scale = now.settled["task"]["unit"]
        value = {"kind": "fixed", "mean": 0, "std": 1, "scale": scale}
        return value, "shares of the greatest value, as answers are", ""
    if scale is None:
        said = f"{facts.dtype} from {facts.intensity.low:g} to {facts.intensity.high:g}"
        return {"kind": "dataset"}, said, ""
    value = {"kind": "fixed", "mean": 0, "std": 1, "scale": scale}
    return value, f"{facts.dtype}: shares of its range", ""


def _segmented(now: Situation) -> tuple[dict[str, Any], str, str]:
    facts, seen = now.facts, now.facts.intensity
    case = {"kind": "case", "how": "standard"}
    if seen.low <= _CT and facts.deep:
        said = f"values from {seen.low:g}: Hounsfield units mean the same in every scan"
        return {"kind": "dataset"}, said, "per case would lose the scale"
    spread = f"means of images spread {seen.between:.2f} times as far as pixels within them"
    if facts.cases == 1:
        spread = "one case: its own mean and spread"
    if seen.between > _EXPOSURE:
        return case, spread, "dataset: exposures differ too much"
    if facts.cases > 1 and facts.dtype.startswith("float"):
        return case, f"{facts.dtype} without a known scale", ""
    value: dict[str, Any] = {"kind": "dataset"}
    if now.layered:
        value["pooled"] = True
        spread += "; layers are mixed, so they share one mean"
    return value, spread, ""
