"""Whether the sizes of a recipe suit one another: two axes of images, or three of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lamina.geometry.view import turns
from lamina.model.networks import AnyNetwork
from lamina.spec import kind_of, kinds_of

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe


def check_axes(recipe: Recipe) -> None:
    """Raise ValueError where sizes or components are of other axes than frame.size.

    The message begins with the option that is to be changed.
    """
    for problem in (*_other_axes(recipe), *_for_images(recipe)):
        raise ValueError(problem)


def check_sizes(recipe: Recipe) -> None:
    """Raise ValueError where a size does not suit the network; the message begins with it."""
    network, turned = recipe.network, recipe.frame.turn % 2
    for key, size in sizes_of(recipe).items():
        problem = network.unfit(size[::-1] if turned else size)
        if problem is not None:
            raise ValueError(f"{key} is {list(size)}; {network.kind} {problem}")


def sizes_of(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Return the sizes that the network meets, by the option that sets them."""
    stages = {f"stages.{stage.name}.size": stage.size for stage in recipe.stages}
    sizes = {"frame.size": recipe.frame.size, **stages, "predict.tile": recipe.predict.tile}
    return {key: size for key, size in sizes.items() if size is not None}


def _other_axes(recipe: Recipe) -> Iterator[str]:
    count = recipe.frame.axes
    named = ("rows and columns", "z, y and x")[count - 2]
    listed: dict[str, Sequence[float]] = dict(sizes_of(recipe))
    if isinstance(recipe.predict.overlap, tuple):
        listed["predict.overlap"] = recipe.predict.overlap
    for key, numbers in listed.items():
        if len(numbers) != count:
            yield (
                f"{key} is {list(numbers)}, and frame.size has {count} numbers; give {count}, for "
                f"{named}"
            )


def _for_images(recipe: Recipe) -> Iterator[str]:
    """Say what is for images only where blocks are seen, and networks that see no blocks."""
    network, axes = recipe.network, recipe.frame.axes
    if axes not in network.axes:
        fitting = [kind for kind, one in kinds_of(AnyNetwork).items() if axes in one.axes]
        kinds = f"take {' or '.join(fitting)}, or " if fitting else ""
        seen = ("images", "blocks of voxels")[axes - 2]
        yield (
            f"network.kind is {network.kind}, and frame.size is {list(recipe.frame.size)}, {seen}, "
            f"which it does not see; {kinds}give frame.size {5 - axes} numbers"
        )
    if axes == 2:
        yield from _for_blocks(recipe)
        return
    if recipe.predict.slices:
        yield (
            "predict.slices names slices of volumes that are cut, and frame.size is "
            f"{list(recipe.frame.size)}, blocks of voxels; leave it out"
        )
    tile = recipe.tile
    if turns(recipe.predict.views) and len({*tile[1:]}) > 1:
        yield (
            f"predict.views is {recipe.predict.views}, which exchanges rows and columns, and a "
            f"tile is {list(tile)}; take flips_yx, or predict.tile with as many columns as rows"
        )
    for loss in recipe.loss:
        if loss.of_images:
            yield (
                f"loss {loss.kind} is of images, and frame.size is {list(recipe.frame.size)}, "
                "blocks of voxels; leave it out"
            )
    for stage in recipe.stages:
        if not stage.sampler.of_blocks:
            yield (
                f"stages.{stage.name}.sampler is {stage.sampler.kind}, for images with a valid "
                f"area, and frame.size is {list(recipe.frame.size)}, blocks of voxels; take "
                "random_crop"
            )
        if stage.resize is not None:
            yield (
                f"stages.{stage.name}.resize is for whole images, and frame.size is "
                f"{list(recipe.frame.size)}, blocks of voxels; leave it out"
            )


def _for_blocks(recipe: Recipe) -> Iterator[str]:
    """Say which transforms move voxels along z, where images are seen."""
    for step in recipe.transforms:
        if step.moves_planes:
            yield (
                f"transforms has {kind_of(step)} along z, and frame.size is "
                f"{list(recipe.frame.size)}, images; leave z out of its axes"
            )
