"""Scores apart for objects of different sizes, and for groups of cases."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.errors import RecipeError
from lamina.evaluation.breakdown.groups import GroupScore, group_scores
from lamina.evaluation.breakdown.sizes import SizeScore, SizeTallies

__all__ = ["GroupScore", "SizeScore", "SizeTallies", "check_by", "group_scores"]


def check_by(by: Sequence[str], *, masks: bool) -> None:
    """Refuse what a score cannot be broken down by.

    Args:
        by: What was asked for.
        masks: Whether masks are scored, not restored values.

    Raises:
        RecipeError: a word is neither size nor group, or sizes of restored values are asked for.
    """
    for word in by:
        if word not in ("size", "group"):
            raise RecipeError(f"--by is '{word}'; it must be one of size, group")
    if "size" in by and not masks:
        raise RecipeError(
            "--by size is for masks, whose objects have a size, and task.kind is restore; use "
            "--by group"
        )
