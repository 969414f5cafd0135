"""Sizes of two numbers and of three: what goes together, and what is refused by which message."""

from __future__ import annotations

from typing import Any

import pytest

from lamina.data.samplers import InMask
from lamina.errors import RecipeError
from lamina.model.networks import Resunet
from lamina.recipe.checks.sizes import check_axes, check_sizes
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe


def blocks(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe of blocks, with a network that takes them, past the checks."""
    frame = recipe.frame.model_copy(update={"size": (32, 64, 96)})
    network = Resunet(blocks=(1, 1, 1)).suited(frame.size)
    return recipe.model_copy(update={"frame": frame, "network": network, **changes})


@pytest.fixture
def recipe(make: Any) -> Recipe:
    made: Recipe = make.recipe()
    return made


def refusal(*changes: str) -> str:
    with pytest.raises(RecipeError) as error:
        load_recipe("folder-laptop", changes)
    return str(error.value)


def test_sizes_of_three_numbers_suit_one_another(recipe: Recipe) -> None:
    stages = tuple(stage.model_copy(update={"size": (32, 32, 32)}) for stage in recipe.stages)
    predict = recipe.predict.model_copy(update={"tile": (64, 64, 64), "overlap": (0.25, 0.5, 0.5)})
    made = blocks(recipe, stages=stages, predict=predict)
    check_axes(made)
    check_sizes(made)
    assert made.tile == (64, 64, 64)
    assert made.predict.overlaps(3) == (0.25, 0.5, 0.5)
    assert recipe.predict.overlaps(3) == (0.5, 0.5, 0.5)


def test_a_multiple_holds_along_every_axis(recipe: Recipe) -> None:
    predict = recipe.predict.model_copy(update={"tile": (42, 64, 64)})
    with pytest.raises(ValueError, match=r"predict\.tile is \[42, 64, 64\]; .* multiples of "):
        check_sizes(blocks(recipe, predict=predict))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("frame.size=[32,64,64]",), "network.kind is "),
        (("predict.tile=[32,64,64]",), "predict.tile is [32, 64, 64], and frame.size has 2 num"),
        (("stages.main.size=[32,64,64]",), "stages.main.size is [32, 64, 64], and frame.size ha"),
        (("predict.overlap=[0.5,0.5,0.5]",), "predict.overlap is [0.5, 0.5, 0.5], and frame.size"),
        (("predict.overlap=1.5",), "predict.overlap is 1.5; input should be less than 1"),
        (("frame.size=[32]",), "frame.size is [32]; it needs 2 or more items"),
        (("frame.size=[32,32,32,32]",), "it takes 3 items at most"),
        (("frame.size=[0,32]",), "frame.size is [0, 32]; each number must be at least 1"),
        (("frame.spacing=[1,1,1]",), "frame: spacing is [1.0, 1.0, 1.0], for blocks of voxels"),
        (("frame.size=[32,64,64]", "frame.slices={axes: z}"), "frame: slices cuts volumes into im"),
        (("frame.size=[32,64,64]", "frame.depth={see: 3}"), "frame: depth is of layers as channel"),
        (("frame.size=[32,64,64]", "frame.turn=1"), "frame: turn is 1, for images, and size is"),
        (("frame.size=[32,64,64]", "frame.resize=[64,64]"), "frame: resize is for whole images, a"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_name(
    changes: tuple[str, ...], message: str
) -> None:
    assert message in refusal(*changes)


@pytest.mark.parametrize("key", ["resize", "slices"])
def test_what_is_for_images_is_refused_where_blocks_are_seen(recipe: Recipe, key: str) -> None:
    if key == "slices":
        predict = recipe.predict.model_copy(update={"slices": (0.5,)})
        made = blocks(recipe, predict=predict)
    else:
        stages = tuple(one.model_copy(update={"resize": (64, 64)}) for one in recipe.stages)
        made = blocks(recipe, stages=stages)
    with pytest.raises(ValueError, match=rf"{key}.* blocks of voxels; leave it out"):
        check_axes(made)


def test_quarter_turns_need_tiles_as_wide_as_high(recipe: Recipe) -> None:
    predict = recipe.predict.model_copy(update={"views": "dihedral", "tile": (32, 64, 96)})
    with pytest.raises(ValueError, match=r"predict\.views is dihedral, .* is \[32, 64, 96\]"):
        check_axes(blocks(recipe, predict=predict))
    square = predict.model_copy(update={"tile": (32, 64, 64)})
    check_axes(blocks(recipe, predict=square))


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("{kind: flip, axes: zyx}", "flip"),
        ("{kind: affine, axes: zyx}", "affine"),
        ("{kind: one_of, of: [{kind: gamma}, {kind: elastic, axes: zyx}]}", "one_of"),
    ],
)
def test_transforms_along_z_are_for_blocks(step: str, kind: str) -> None:
    assert f"transforms has {kind} along z" in refusal(f"transforms=[{step}]")


def test_crops_of_valid_areas_are_for_images(recipe: Recipe) -> None:
    stages = tuple(one.model_copy(update={"sampler": InMask()}) for one in recipe.stages)
    with pytest.raises(ValueError, match=r"sampler is in_mask, for images .*; take random_crop"):
        check_axes(blocks(recipe, stages=stages))
