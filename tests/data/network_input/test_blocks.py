"""Blocks of voxels as samples: one plane deep they are images, and no more is read than needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.blocks import in_order
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.readers import open_volume
from lamina.data.transforms import Affine, AnyTransform, Elastic, Flip, Gamma, Noise
from lamina.errors import RecipeError
from lamina.geometry.region import Region
from lamina.recipe.load import load_recipe
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume, read_all
from tests.data.network_input.test_earlier_samples import NAMES, case_of

CHANCE = np.random.default_rng(0)
IMAGE = CHANCE.integers(0, 255, (1, 20, 40, 50)).astype(np.uint8)
LABELS = (CHANCE.random((1, 20, 40, 50)) < 0.2).astype(np.uint8)
FRAME = Frame(size=(8, 16, 16), normalise=Fixed(scale=255.0))
BINARY = Task(names=("a",))


def block_of(case: Case) -> Case:
    """Return an image as a volume of one plane."""
    image, target = (read_all(one)[:, None] for one in (case.image, case.target) if one)
    return replace(case, image=ArrayVolume(image, "zyx"), target=ArrayVolume(target, "zyx"))


@pytest.mark.parametrize("name", NAMES)
def test_one_plane_deep_a_block_is_the_image(name: str) -> None:
    """Every built-in recipe that sees all channels of an image makes the same samples of both."""
    recipe = load_recipe(name)
    if recipe.frame.depth is not None or recipe.stages[0].sampler.kind == "in_mask":
        pytest.skip("layers as channels have no third axis")
    case, task = case_of(recipe)
    deep = block_of(case)
    update = {"resize": None, "turn": 0, "slices": None, "channels": recipe.frame.inputs}
    sampler = recipe.stages[0].sampler
    for number in range(3):
        made: list[tuple[Draw, Sample]] = []
        for one, size in ((case, (32, 32)), (deep, (1, 32, 32))):
            frame = recipe.frame.model_copy(update=update | {"size": size})
            (draw, *_) = sampler.draws([one], size=size, batch=1, epoch=number, rng=rng(1, number))
            chance = rng(7, "sample", number)
            normalise = Fixed(scale=255.0)
            sample = make_sample(one, draw, frame, normalise, recipe.transforms, task, chance)
            made.append((draw, sample))
        (flat_draw, flat), (deep_draw, block) = made
        assert deep_draw.region.start == (0, *flat_draw.region.start)
        for part in ("image", "target", "valid"):
            np.testing.assert_array_equal(getattr(block, part)[:, 0], getattr(flat, part))


@dataclass(frozen=True)
class Recorded(ArrayVolume):
    """An array that remembers the regions read."""

    regions: list[Region] = field(default_factory=list)

    def read(self, region: Region) -> NDArray[Any]:
        self.regions.append(region)
        return super().read(region)


def sample_of(case: Case, transforms: tuple[AnyTransform, ...], seed: int = 0) -> Sample:
    draw = Draw(0, Region((6, 12, 20), (14, 28, 36)))
    return make_sample(case, draw, FRAME, FRAME.normalise, transforms, BINARY, rng(seed, "x"))  # type: ignore[arg-type]


def test_only_the_region_of_the_block_is_read_and_each_volume_once() -> None:
    image, target = Recorded(IMAGE, "zyx"), Recorded(LABELS, "zyx")
    sample_of(Case("a", "a", image, target), (Flip(axes="zyx"), Gamma(p=1)))
    assert image.regions == target.regions == [Region((6, 12, 20), (14, 28, 36))]


def test_chunks_that_the_block_does_not_touch_are_not_read(tmp_path: Path) -> None:
    """A store without its other chunks still gives the block."""
    store = zarr.create_array(
        tmp_path / "a.zarr", shape=IMAGE.shape[1:], chunks=(8, 8, 8), dtype="u1"
    )
    store[6:14, 12:28, 20:36] = IMAGE[0, 6:14, 12:28, 20:36]
    volume = open_volume(tmp_path / "a.zarr")
    found = sample_of(Case("a", "a", volume, ArrayVolume(LABELS, "zyx")), ())
    expected = IMAGE[:, 6:14, 12:28, 20:36].astype(np.float32) / 255
    np.testing.assert_allclose(found.image, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_image_target_and_valid_area_move_together(seed: int) -> None:
    planes, rows, columns = np.indices(IMAGE.shape[1:])
    ball = ((planes - 10) ** 2 + (rows - 20) ** 2 + (columns - 28) ** 2 < 25).astype(np.uint8)
    case = Case(
        "a",
        "a",
        ArrayVolume(ball[None] * 255, "zyx"),
        ArrayVolume(ball[None], "zyx"),
        ArrayVolume(ball[None], "zyx"),
    )
    steps = (
        Affine(p=1, axes="zyx", tilt=20),
        Elastic(p=1, alpha=20, sigma=4, axes="zyx"),
        Flip(axes="zyx"),
    )
    found = sample_of(case, steps, seed)
    assert found.image.shape == found.target.shape == found.valid.shape == (1, 8, 16, 16)
    assert ((found.image > 0.5) != (found.target > 0.5)).mean() < 0.04
    np.testing.assert_array_equal(found.target, found.valid)
    assert found.target.any()


def test_a_sample_follows_from_its_generator_alone() -> None:
    case = Case("a", "a", ArrayVolume(IMAGE, "zyx"), ArrayVolume(LABELS, "zyx"))
    steps = (Affine(p=1, axes="zyx"), Elastic(p=1, axes="zyx"), Noise(p=1))
    one, again, other = (sample_of(case, steps, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image, again.image)
    assert not np.array_equal(one.image, other.image)


@pytest.mark.parametrize("axes", ["zyx", "xyz", "yxz"])
def test_axes_are_taken_by_name(axes: str) -> None:
    stored = IMAGE.transpose(0, *(1 + "zyx".index(name) for name in axes))
    volume = ArrayVolume(stored, axes)
    np.testing.assert_array_equal(read_all(in_order(volume)), IMAGE)
    assert in_order(volume).axes == "zyx"


def test_other_names_stay_in_stored_order_and_images_are_refused() -> None:
    volume = ArrayVolume(IMAGE, "ijk")
    (case,) = FRAME.cases([Case("a", "a", volume, ArrayVolume(LABELS, "ijk"))])
    assert case.image is volume
    flat = Case("b", "b", ArrayVolume(IMAGE[:, 0]))
    with pytest.raises(
        RecipeError, match=r"case b: has axes 'yx', and frame.size is \[8, 16, 16\]"
    ):
        FRAME.cases([flat])
    with pytest.raises(RecipeError, match=r"or give frame\.size three numbers"):
        Frame().cases([case])
