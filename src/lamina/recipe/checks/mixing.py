"""Whether stages mix what the task can learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe


def check_mixing(recipe: Recipe) -> None:
    """Refuse mixing of masks where values are learnt, and the other way round.

    Raises:
        ValueError: a stage mixes what the task does not have, or images without noise are to be
            restored to themselves.
    """
    restores = recipe.task.kind == "restore"
    for stage in recipe.stages:
        for one in stage.mix:
            if one.only == "masks" and restores:
                raise ValueError(
                    f"stages.{stage.name}.mix has {one.kind}, which is for masks, and task.kind is "
                    "restore; leave it out"
                )
            if one.only == "values" and not restores:
                raise ValueError(
                    f"stages.{stage.name}.mix has {one.kind}, which is for values, and task.kind "
                    f"is {recipe.task.kind}; leave it out"
                )
        blind = any(one.only == "values" for one in stage.mix)
        if recipe.data.kind == "corrupt" and not recipe.data.noise and not blind:
            raise ValueError(
                f"data.noise is [], and stages.{stage.name} would learn to repeat its input; name "
                "a noise, or for images that are noisy themselves set mix to [{kind: blind_spots}]"
            )
