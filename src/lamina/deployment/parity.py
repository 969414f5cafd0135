"""What an export answers beside what lamina answers, on the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.image_types.image_kind import ImageKind, as_learnt
from lamina.errors import BundleError
from lamina.prediction.engine import Member, predict_case
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import AnyDecision
from lamina.volume import ArrayVolume

if TYPE_CHECKING:
    from lamina.deployment.run import Pipeline

TOLERANCE = 1e-4
"""Largest difference of a probability, or of a restored value as a share of its unit."""


@dataclass(frozen=True)
class Compared:
    """Answers for one image, and how far they are apart."""

    image: NDArray[Any]
    """(C, H, W) as stored."""
    answer: NDArray[np.float32]
    """(K, H, W) of lamina, float32: probabilities, or values in stored units."""
    masks: NDArray[np.bool_]
    """(K, H, W) of lamina."""
    apart: float
    """Largest difference of the answers."""
    mask_pixels: int
    """Pixels whose masks differ."""


def compare(
    folder: Path,
    image: NDArray[Any],
    members: Sequence[Member],
    recipe: Recipe,
    decision: AnyDecision,
    learnt: ImageKind | None,
) -> Compared:
    """Run an exported folder and lamina itself, both in float32 on the CPU.

    Args:
        folder: Exported, with ``pipeline.json``.
        image: (C, H, W) as stored.
        members: That answer, on the CPU.
        recipe: Of the bundle.
        decision: What makes masks.
        learnt: Of the images that the members learnt from.

    Raises:
        BundleError: the answers are further apart than ``TOLERANCE``, or masks of equal
            probabilities differ.
    """
    from lamina.deployment.run import Pipeline, decide

    pipeline = Pipeline(folder)
    case = Case("sample", "sample", ArrayVolume(image, "yx", "sample"))
    if learnt is not None:
        case = replace(case, image=as_learnt(case.image, learnt)[0])
    ours, theirs = _answers(pipeline, image, case, members, recipe)
    apart = float(np.abs(ours - theirs).max())
    if recipe.predict.rounding != "none":  # a value on the edge of a step may fall on either side
        plain = recipe.predict.model_copy(update={"rounding": "none"})
        exact = recipe.model_copy(update={"predict": plain})
        unrounded = Pipeline(folder)
        unrounded.about["rounding"] = "none"
        one, other = _answers(unrounded, image, case, members, exact)
        apart = float(np.abs(one - other).max())
    if not apart <= TOLERANCE:
        raise BundleError(
            f"the export answers differently: {apart:.2g} in probability on a whole image, and at "
            f"most {TOLERANCE:g} is allowed; nothing was written"
        )
    if recipe.task.kind == "restore":
        offset, span = recipe.data.stored(case.image, recipe.task)
        theirs = theirs * np.float32(span) + np.float32(offset)
        return Compared(image, theirs, np.zeros(theirs.shape, np.bool_), apart, 0)
    masks = decision(theirs)
    if not np.array_equal(decide(theirs, pipeline.about["decision"]), masks):
        raise BundleError("the export decides differently on equal probabilities; nothing written")
    differing = int((decide(ours, pipeline.about["decision"]) != masks).sum())
    return Compared(image, theirs, masks, apart, differing)


def _answers(
    pipeline: Pipeline, image: NDArray[Any], case: Case, members: Sequence[Member], recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what the exported folder and lamina answer, (K, H, W) each."""
    ours = pipeline.answer(pipeline.channels_first(image, "cyx"))
    theirs = predict_case(case, members, recipe, device=torch.device("cpu"), precision=None)
    return ours, theirs
