"""All that is done around the networks, as numbers that ``run.py`` reads; or why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lamina.bundle import Bundle
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import PerCase
from lamina.errors import RecipeError
from lamina.geometry.view import View
from lamina.geometry.view import members as views_of
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import Policy
from lamina.prediction.tiling.averaging import POWERS, is_calibrated
from lamina.prediction.tiling.tiled_inference import MemberTiles
from lamina.recipe.recipe import Predict, Recipe
from lamina.result.decisions import AnyDecision, Argmax, AsIs, Threshold, Triplet
from lamina.result.decisions.base import per_class
from lamina.volume import ArrayVolume

FORMAT = "lamina-pipeline/1"
"""Of ``pipeline.json``; ``run.py`` reads no other."""


def check_exportable(recipe: Recipe, frames: Sequence[Frame], decision: AnyDecision) -> None:
    """Refuse what an exported pipeline does not do.

    Args:
        recipe: Of the bundle.
        frames: Of the members.
        decision: What makes masks of the probabilities.

    Raises:
        RecipeError: the first reason.
    """
    if recipe.predict.only_valid:
        raise RecipeError(
            "predict.only_valid is set, and an exported pipeline takes an image without its valid "
            "area; train with -s predict.only_valid=false, or use lamina.load"
        )
    for frame in frames:
        _check_frame(frame)
    blank = ArrayVolume(np.zeros((recipe.frame.channels, 2, 2), np.uint8))
    if recipe.data.adapt(blank) is not blank:
        raise RecipeError(
            "data.stretch maps the values of each image to its own range, which an exported "
            "pipeline does not; use lamina.load"
        )
    if isinstance(decision, Triplet) and decision.contour:
        raise RecipeError(
            f"decide.contour is {decision.contour}, which needs the contours of OpenCV; pass "
            "--threshold 0.5, or choose another decision with `lamina tune --decision threshold`"
        )
    if not isinstance(decision, Threshold | Triplet | Argmax | AsIs):
        raise RecipeError(
            f"the decision is {decision.kind}, which finds a threshold for each image by a search "
            "that is not exported; pass --threshold 0.5, or choose another decision with "
            "`lamina tune --decision threshold`"
        )


def _check_frame(frame: Frame) -> None:
    if frame.depth is not None:
        raise RecipeError(
            "frame.depth is set: fragments are aligned in depth from their files, which an "
            "exported pipeline does not; use lamina.load"
        )
    if frame.axes == 3:
        raise RecipeError(
            f"frame.size is {list(frame.size)}: the members take volumes block by block, and an "
            "exported pipeline takes images of two axes; use lamina.load"
        )
    if frame.slices is not None:
        raise RecipeError(
            "frame.slices is set: the members take volumes slice by slice, and an exported "
            "pipeline takes images of two axes; use lamina.load"
        )
    if frame.resize is not None:
        raise RecipeError(
            f"frame.resize is {list(frame.resize)}: whole images are resized first, which an "
            "exported pipeline does not; use lamina.load"
        )


def member_views(frame: Frame, options: Predict) -> tuple[tuple[View, float], ...]:
    """Return the views of a member with their shares, the quarter turns of its frame included."""
    return tuple(
        (upright.then(frame.quarter_turns), share) for upright, share in views_of(options.views)
    )


def graph_shape(tiles: MemberTiles, options: Predict, name: str) -> tuple[int, int, int]:
    """Return channels, rows and columns of what a member's network sees.

    Raises:
        RecipeError: tiles are not square, and seen turned and unturned.
    """
    rows, columns = tiles.grid.tile
    turned = {view.transpose for view, _ in member_views(tiles.frame, options)}
    if len(turned) > 1 and rows != columns:
        raise RecipeError(
            f"member {name}: its tiles of {rows} x {columns} pixels are seen turned by "
            f"predict.views={options.views}, and a graph has one size; pass square tiles, such as "
            f"--tile {min(rows, columns)}x{min(rows, columns)}"
        )
    size = (columns, rows) if turned == {True} else (rows, columns)
    return (tiles.frame.inputs, *size)


def member_entry(
    tiles: MemberTiles, options: Predict, name: str, file: str, window: str, opset: int | None
) -> dict[str, Any]:
    """Return what ``pipeline.json`` says of a member."""
    frame, grid, member = tiles.frame, tiles.grid, tiles.member
    curves = member.calibration if is_calibrated(member.calibration) else ()
    return {
        "name": name,
        "file": file,
        "opset": opset,
        "weight": member.weight,
        "tile": list(grid.tile),
        "step": list(grid.step),
        "window": window,
        "border": frame.border,
        "placement": options.border_tiles,
        "pad": frame.pad,
        "normalise": _normalise(tiles),
        "views": [
            {
                "transpose": view.transpose,
                "flip_rows": view.flip_rows,
                "flip_columns": view.flip_columns,
                "weight": share,
            }
            for view, share in member_views(frame, options)
        ],
        "calibration": [curve.model_dump(mode="json") for curve in curves],
    }


def known_entry(bundle: Bundle, numbers: Sequence[int]) -> dict[str, list[float]]:
    """Return the weight of each exported member for the training images, by their SHA-256.

    0: it trained on the image. All 0: every member did, and all answer with their own weights.

    Args:
        bundle: What is exported.
        numbers: The members that are.
    """
    loaded = LoadedMembers([bundle], torch.device("cpu"), None)
    policy = Policy([bundle], "auto")
    digests = {
        sha256
        for training in bundle.trainings
        for case in training.cases.values()
        for sha256 in case.sha256
    }
    known = {}
    for sha256 in sorted(digests):
        chosen = policy.choose("", sha256)
        clean = chosen.known not in ("seen", "partly_seen")
        if clean and len(chosen.members) == len(bundle.members):
            continue  # pseudo-labelled, by members that had not seen it
        weights = dict(zip(chosen.members, loaded.weights(chosen), strict=True)) if clean else {}
        known[sha256] = [weights.get((0, number), 0.0) for number in numbers]
    return known


def _normalise(tiles: MemberTiles) -> dict[str, Any]:
    normalise = tiles.member.normalise
    if isinstance(normalise, PerCase):
        ends = (0.0, 100.0) if normalise.how == "minmax" else (normalise.low, normalise.high)
        return {"kind": "case", "how": normalise.how, "low": ends[0], "high": ends[1]}
    shift, factor = tiles.factors
    return {"kind": "affine", "shift": shift.tolist(), "factor": factor.tolist()}


def decision_entry(decision: AnyDecision, classes: int) -> dict[str, Any]:
    """Return a decision as numbers of each class.

    A class is where its probability is above ``threshold``; it is empty where fewer than
    ``sure_pixels`` pixels are above ``sure``; components with fewer than ``sure_in_component``
    such pixels go; after ``overlap`` a class of fewer than ``min_area`` pixels is emptied.
    """
    if isinstance(decision, AsIs):
        return {"kind": "as_is", "store": decision.store, "whole": decision.whole}
    if isinstance(decision, Argmax):
        return {"kind": "argmax"}
    if isinstance(decision, Triplet):
        tops = per_class(decision.top, classes, "top")
        areas = per_class(decision.area, classes, "area")
        bottoms = per_class(decision.bottom, classes, "bottom")
        each = decision.unit == "component"
        rows = [
            _class(bottom, top, 0 if each else area, area if each else 0, 0)
            for top, area, bottom in zip(tops, areas, bottoms, strict=True)
        ]
        return {"kind": "areas", "classes": rows, "overlap": "keep"}
    if not isinstance(decision, Threshold):
        raise TypeError(f"{decision.kind} was refused before")
    thresholds = per_class(decision.threshold, classes, "threshold")
    least = per_class(decision.min_component, classes, "min_component")
    areas = per_class(decision.min_area, classes, "min_area")
    rows = [
        _class(threshold, threshold, 0, component, area)
        for threshold, component, area in zip(thresholds, least, areas, strict=True)
    ]
    return {"kind": "areas", "classes": rows, "overlap": decision.overlap}


def _class(threshold: float, sure: float, pixels: int, component: int, area: int) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "sure": sure,
        "sure_pixels": pixels,
        "sure_in_component": component,
        "min_area": area,
    }


def means_entry(options: Predict) -> dict[str, Any]:
    """Return which values are averaged between views, tiles and members, and to which power."""
    mean = options.mean_of
    return {
        "views": mean.views,
        "tiles": mean.tiles,
        "members": "logit" if mean.members == "logit" else "probability",
        "power": POWERS.get(mean.members, 1),
    }


def input_entry(recipe: Recipe, learnt: ImageKind | None) -> dict[str, Any]:
    """Return what an image must be."""
    channels = recipe.frame.channels
    return {
        "axes": "yx",
        "channels": channels,
        "colour": "rgb" if channels == 3 else None,
        "learnt": None if learnt is None else learnt.model_dump(mode="json"),
    }
