"""Samples: image and target move together, chance is reproducible, padding does not count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lamina.data.case import Case
from lamina.data.network_input.depth import Depth
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.transforms import (
    Affine,
    AnyTransform,
    Blur,
    BrightnessContrast,
    Cutout,
    Elastic,
    Flip,
    Gamma,
    GridDistort,
    Noise,
    OneOf,
    Rot90,
    Sharpen,
)
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume, read_all

ALL: tuple[AnyTransform, ...] = (
    Noise(p=1),
    Affine(p=1),
    Flip(),
    BrightnessContrast(p=1),
    Elastic(p=1, alpha=20, sigma=4),
    Rot90(),
    Gamma(p=1),
    GridDistort(p=1),
    Blur(p=1, kernel=3),
    Sharpen(p=1),
    OneOf(of=(Gamma(), Blur(), Cutout())),
    Cutout(p=1),
)
WARPS = tuple(
    step for step in ALL if isinstance(step, Affine | Flip | Elastic | Rot90 | GridDistort)
)
FRAME = Frame(size=(32, 32), normalise=Fixed(scale=1.0))
BINARY = Task(names=("defect",))


def make(image: NDArray[Any], target: NDArray[Any], valid: NDArray[Any] | None = None) -> Case:
    area = None if valid is None else ArrayVolume(valid)
    return Case("a", "a", ArrayVolume(image), ArrayVolume(target), area)


def get(
    case: Case,
    region: Region,
    transforms: tuple[AnyTransform, ...] = (),
    *,
    seed: int = 0,
    task: Task = BINARY,
    frame: Frame = FRAME,
) -> Sample:
    return make_sample(
        case, Draw(0, region), frame, frame.normalise, transforms, task, rng(seed, "x")
    )


def picture(side: int = 64, channels: int = 1, dtype: type[np.generic] = np.uint8) -> Case:
    chance = np.random.default_rng(0)
    image = chance.integers(0, 255, (channels, side, side)).astype(dtype)
    return make(image, chance.integers(0, 2, (1, side, side)).astype(np.uint8))


INSIDE = Region((16, 16), (48, 48))


def test_without_transforms_a_sample_is_a_plain_look() -> None:
    case = picture()
    sample = get(case, INSIDE)
    factors = FRAME.factors(case.image, FRAME.normalise)
    np.testing.assert_array_equal(sample.image, FRAME.look(case.image, INSIDE, factors))
    assert case.target is not None
    np.testing.assert_array_equal(sample.target, case.target.read(INSIDE))
    assert (sample.valid == 1).all()


def test_nothing_picked_is_a_plain_look_too() -> None:
    never = tuple(step.model_copy(update={"p": 0.0}) for step in ALL)
    plain, same = get(picture(), INSIDE), get(picture(), INSIDE, never)
    np.testing.assert_array_equal(plain.image, same.image)
    np.testing.assert_array_equal(plain.target, same.target)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int16, np.float64])
@pytest.mark.parametrize("transforms", [(), ALL])
def test_samples_have_the_promised_shapes_and_types(
    dtype: type[np.generic], transforms: tuple[AnyTransform, ...]
) -> None:
    frame = FRAME.model_copy(update={"channels": 6})
    sample = get(picture(channels=6, dtype=dtype), INSIDE, transforms, frame=frame)
    assert sample.image.shape == (6, 32, 32)
    assert sample.target.shape == sample.valid.shape == (1, 32, 32)
    for part in (sample.image, sample.target, sample.valid):
        assert part.dtype == np.float32
        assert part.flags.c_contiguous
        assert part.flags.writeable
        assert np.isfinite(part).all()
    assert set(np.unique(sample.target)) <= {0, 1}


def test_the_chosen_one_of_a_group_joins_the_one_warp_and_the_one_table() -> None:
    """Undone by what follows, nothing is left of either: neither was rounded on its own."""
    there, back = Gamma(p=1, low=3, high=3), Gamma(p=1, low=1 / 3, high=1 / 3)
    plain = get(picture(), INSIDE)
    dark = get(picture(), INSIDE, (OneOf(of=(there,)), back))
    np.testing.assert_allclose(dark.image, plain.image, atol=0.01)
    flip = Flip(axes="x", p=1)
    np.testing.assert_array_equal(
        get(picture(), INSIDE, (OneOf(of=(flip,)), flip)).image, plain.image
    )
    once = get(picture(), INSIDE, (OneOf(of=(flip,)),))
    np.testing.assert_array_equal(once.image, plain.image[..., ::-1])
    np.testing.assert_array_equal(once.target, plain.target[..., ::-1])


def test_the_same_generator_gives_the_same_sample_and_another_does_not() -> None:
    first, again, other = (get(picture(), INSIDE, ALL, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.target, again.target)
    assert (first.image != other.image).any()


@pytest.mark.parametrize("seed", range(6))
def test_image_target_and_valid_area_move_together(seed: int) -> None:
    """The three show the same blob: wherever it goes, it goes in all of them."""
    rows, columns = np.mgrid[:128, :128]
    blob = ((rows - 60) ** 2 + (columns - 67) ** 2 < 18**2)[None].astype(np.uint8)
    case = make(blob * 255, blob, 1 - blob)
    sample = get(case, Region((32, 32), (96, 96)), WARPS, seed=seed)
    shown = sample.image > 127.5
    assert 100 < shown.sum() < 64 * 64
    assert (shown != (sample.target == 1)).mean() < 0.01  # rounding at the rim
    np.testing.assert_array_equal(sample.valid, 1 - sample.target)


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_beyond_the_image_the_target_is_zero_and_nothing_counts(border: Any) -> None:
    case = make(np.full((1, 10, 12), 9, np.uint8), np.ones((1, 10, 12), np.uint8))
    frame = FRAME.model_copy(update={"border": border})
    sample = get(case, Region((-11, -10), (21, 22)), frame=frame)
    inside = np.zeros((32, 32), bool)
    inside[11:21, 10:22] = True
    np.testing.assert_array_equal(sample.valid[0], inside)
    np.testing.assert_array_equal(sample.target[0], inside)
    np.testing.assert_array_equal(sample.image[0], np.where(inside | (border == "reflect"), 9, 0))


def test_turned_padding_does_not_count_either() -> None:
    case = make(np.full((1, 32, 32), 9, np.uint8), np.ones((1, 32, 32), np.uint8))
    turned = (Affine(p=1, rotate=45, shift=0, scale=(0.5, 0.5)),)
    sample = get(case, Region.whole((32, 32)), turned)
    np.testing.assert_array_equal(sample.valid, sample.target)
    assert 0.2 < sample.valid.mean() < 0.3  # a quarter of the area
    assert (sample.image == 9).all()  # the mirror of a flat image is flat


def test_classes_become_one_channel_each() -> None:
    ids = np.array([[[0, 1], [2, 1]]], np.uint8)
    case = make(np.zeros((1, 2, 2), np.uint8), ids)
    task = Task(kind="multiclass", names=("none", "a", "b"))
    sample = get(case, Region((0, 0), (2, 3)), task=task)
    assert sample.target.argmax(0).tolist() == [[0, 1, 0], [2, 1, 0]]
    assert sample.target.sum(0).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert sample.valid[0].tolist() == [[1, 1, 0], [1, 1, 0]]


def test_overlapping_classes_stay_apart() -> None:
    target = np.random.default_rng(0).integers(0, 2, (4, 64, 64)).astype(np.bool_)
    case = make(np.zeros((1, 64, 64), np.uint8), target)
    sample = get(case, INSIDE, task=Task(kind="multilabel", names=tuple("abcd")))
    np.testing.assert_array_equal(sample.target, target[:, 16:48, 16:48])


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_values_to_restore_are_fractions_of_an_integer_types_range(
    dtype: type[np.generic], top: int
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(dtype)
    sample = get(make(values, values), INSIDE, task=Task(kind="restore", names=("clean",)))
    np.testing.assert_allclose(sample.target, values[:, 16:48, 16:48] / top, rtol=1e-6)


def test_values_to_restore_are_interpolated_like_the_image() -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.float32)
    task = Task(kind="restore", names=("clean",))
    sample = get(make(values, values), INSIDE, WARPS, task=task)
    np.testing.assert_allclose(sample.target, sample.image, atol=1e-3)


def test_holes_clear_the_target_only_where_asked() -> None:
    case = make(np.full((1, 64, 64), 9, np.uint8), np.ones((1, 64, 64), np.uint8))
    kept = get(case, INSIDE, (Cutout(p=1, size=(0.5, 0.5)),))
    cleared = get(case, INSIDE, (Cutout(p=1, size=(0.5, 0.5), clear_target=True),))
    assert (kept.image == 0).sum() == 16 * 16
    assert (kept.target == 1).all()
    np.testing.assert_array_equal(cleared.target, cleared.image / 9)
    assert (cleared.valid == 1).all()


def test_the_case_is_untouched() -> None:
    case = picture()
    assert case.target is not None
    before = case.image.read(INSIDE).copy(), case.target.read(INSIDE).copy()
    for transforms in ((), ALL, (Cutout(p=1, clear_target=True),)):
        sample = get(case, INSIDE, transforms)
        sample.image[:], sample.target[:] = -1, -1
    np.testing.assert_array_equal(case.image.read(INSIDE), before[0])
    np.testing.assert_array_equal(case.target.read(INSIDE), before[1])


def test_a_case_without_a_target_or_with_nan_in_it_is_refused() -> None:
    with pytest.raises(DataError, match="case a: has no target"):
        get(replace(picture(), target=None), INSIDE)
    broken = make(np.zeros((1, 4, 4), np.uint8), np.full((1, 4, 4), np.nan, np.float32))
    with pytest.raises(DataError, match="16 of 16"):
        get(broken, Region.whole((4, 4)), task=Task(kind="restore", names=("clean",)))


def test_an_image_may_lie_at_the_top_left_of_a_larger_region() -> None:
    """NOISE-7: zeros below and to the right only."""
    pixels = np.random.default_rng(0).random((1, 5, 6), np.float32)
    frame = Frame(size=(8, 16), border="zero", pad="after")
    drawn = Draw(0, Region((-1, -5), (7, 11)))
    found = make_sample(
        make(pixels, (pixels > 0.5).astype(np.uint8)),
        drawn,
        frame,
        Fixed(scale=1),
        (),
        Task(),
        rng(0),
    )
    assert found.image.shape == (1, 8, 16)
    np.testing.assert_array_equal(found.image[:, :5, :6], pixels)
    assert not found.image[:, 5:].any()
    assert not found.image[:, :, 6:].any()
    assert found.valid.sum() == 30


@pytest.mark.parametrize("sides", [(16, 16), (48, 40), (33, 64)])
def test_a_crop_of_any_size_is_resized_as_opencv_resizes_it(sides: tuple[int, int]) -> None:
    """INK-13."""
    case = picture(96, channels=3)
    region = Region((32, 32), (64, 64))
    frame = Frame(size=(32, 32), channels=3, normalise=Fixed(scale=1.0))
    draw = Draw(0, region, sides=sides)
    found = make_sample(case, draw, frame, frame.normalise, (), BINARY, rng(0, "x"))
    rows, columns = sides
    # The middle of region and crop is between pixels 47 and 48, or on one for an odd side.
    top, left = 48 - rows / 2, 48 - columns / 2
    y = (np.arange(32) + 0.5) * rows / 32 - 0.5 + top
    x = (np.arange(32) + 0.5) * columns / 32 - 0.5 + left
    stored = read_all(case.image).astype(float)
    for plane, expected in zip(found.image, stored, strict=True):
        smooth = map_coordinates(expected, np.meshgrid(y, x, indexing="ij"), order=1)
        np.testing.assert_allclose(plane, smooth, atol=4)  # OpenCV weighs in steps of 1/32 pixel
    if sides == (16, 16):
        crop = stored[:, 40:56, 40:56].astype(np.uint8)
        large = np.stack([cv2.resize(plane, (32, 32)) for plane in crop])
        inner = (slice(None), slice(1, -1), slice(1, -1))  # the rim shows what is beside the crop
        np.testing.assert_allclose(found.image[inner], large[inner], atol=4)
    assert set(np.unique(found.target)) <= {0.0, 1.0}  # masks by the nearest pixel


def test_all_layers_and_the_target_are_moved_alike() -> None:
    """INK-14: a crop of any size, turned, distorted: every layer as if it were alone."""
    y, x = np.mgrid[0:96, 0:96]
    plane = (y + 2 * x).astype(np.uint16) * 100
    case = make(np.repeat(plane[None], 18, 0), ((y // 8 + x // 8) % 2).astype(np.uint8)[None])
    frame = Frame(size=(32, 32), channels=18, normalise=Fixed(scale=1.0))
    steps = (Affine(rotate=45, scale=(1, 1), shift=0, p=1), Flip(), Rot90(), GridDistort(p=1))
    draw = Draw(0, Region((32, 32), (64, 64)), sides=(40, 44))
    found = make_sample(case, draw, frame, frame.normalise, steps, BINARY, rng(3, "x"))
    assert (found.image == found.image[:1]).all()
    alone = replace(case, image=ArrayVolume(plane[None]))
    one = make_sample(
        alone, draw, Frame(size=(32, 32)), frame.normalise, steps, BINARY, rng(3, "x")
    )
    np.testing.assert_array_equal(one.image[0], found.image[7])
    np.testing.assert_array_equal(one.target, found.target)


def test_a_sample_shows_some_layers_from_anywhere_resized_after_the_move() -> None:
    """INK-13: trunc(see q) layers next to one another, of which the place and number are random."""
    layers = np.arange(24, dtype=np.uint16)[:, None, None] * 1000
    case = make(np.broadcast_to(layers, (24, 64, 64)), np.zeros((1, 64, 64), np.uint8))
    frame = Frame(
        size=(32, 32), channels=24, depth=Depth(see=18, factor=1.33), normalise=Fixed(scale=1.0)
    )
    seen = set()
    for seed in range(60):
        sample = get(case, Region((0, 0), (32, 32)), (Affine(p=1),), seed=seed, frame=frame)
        assert sample.image.shape == (18, 32, 32)
        line = sample.image[:, 16, 16] / 1000
        assert (sample.image == sample.image[:, :1, :1]).all()
        steps = np.diff(line[2:-2])
        np.testing.assert_allclose(steps, steps[0], atol=2e-3)  # equally far apart
        count = round(float(steps[0]) * 18)
        assert 13 <= count <= 23
        first = round(float(line.mean() - (count - 1) / 2))
        assert 0 <= first <= 24 - count
        seen.add((first, count))
    assert len(seen) > 30


def test_equal_draws_of_layers_are_equal_samples() -> None:
    case = picture(64, channels=12, dtype=np.uint16)
    frame = Frame(size=(32, 32), channels=12, depth=Depth(see=8), normalise=Fixed(scale=1.0))
    region = Region((3, 5), (35, 37))
    first, again, other = (get(case, region, ALL, seed=s, frame=frame) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != other.image).any()
