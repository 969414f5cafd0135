"""Noise that stays where it is, and noise that is new for every sample."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.data.case import Case
from lamina.data.corruptions import AnyCorruption, Gaussian, Poisson, Stripes, Swell
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.transforms import Affine, AnyTransform, Flip
from lamina.data.views.corrupted import Corrupted
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume, Crop, Plane, Volume, read_all, without_view

ALL: tuple[AnyCorruption, ...] = (
    Poisson(peak=(20, 40)),
    Gaussian(sigma=(2, 9)),
    Stripes(sigma=3),
    Swell(strength=20, share=0.5),
)
IMAGE = ArrayVolume(rng(0, "image").integers(0, 256, (1, 150, 300)).astype(np.uint8), "yx", "a")
CUBE = ArrayVolume(rng(0, "cube").integers(0, 256, (1, 37, 40, 45)).astype(np.uint8), "zyx", "b")
WHOLE = {one.axes: read_all(Corrupted(one, ALL, 3, "id")) for one in (IMAGE, CUBE)}


def spans(n: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, n), st.integers(0, n)).map(lambda ends: tuple(sorted(ends)))  # type: ignore[arg-type,return-value]


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from([IMAGE, CUBE]))
def test_noise_is_the_same_whatever_region_is_read(data: st.DataObject, clean: ArrayVolume) -> None:
    ends = [data.draw(spans(n)) for n in clean.shape]
    region = Region(tuple(a for a, _ in ends), tuple(b for _, b in ends))
    noisy: Volume = Corrupted(clean, ALL, 3, "id")
    found = noisy.read(region)
    assert found.dtype == noisy.dtype == np.float32
    np.testing.assert_array_equal(found, WHOLE[clean.axes][(slice(None), *region.slices)])


def test_seed_and_id_decide_and_pickling_changes_nothing() -> None:
    again: Corrupted = pickle.loads(pickle.dumps(Corrupted(IMAGE, ALL, 3, "id")))
    np.testing.assert_array_equal(read_all(again), WHOLE["yx"])
    for other in (Corrupted(IMAGE, ALL, 4, "id"), Corrupted(IMAGE, ALL, 3, "other")):
        assert (read_all(other) != WHOLE["yx"]).mean() > 0.9


def test_blocks_do_not_repeat_their_noise_nor_show_their_borders() -> None:
    flat = ArrayVolume(np.zeros((1, 512, 512), np.float32))
    noise = read_all(Corrupted(flat, (Gaussian(sigma=1),), 0, "a"))[0]
    assert noise.std() == pytest.approx(1, rel=0.02)
    blocks = [noise[a : a + 128, b : b + 128].ravel() for a in (0, 128) for b in (0, 128)]
    for one, other in pairwise(blocks):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    for way in (noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1]):
        assert abs(float(way.mean())) < 0.01


def test_lines_and_traces_pass_through_blocks() -> None:
    flat = ArrayVolume(np.zeros((1, 300, 300), np.float32))
    lines = read_all(Corrupted(flat, (Stripes(sigma=5, along="y"),), 0, "a"))[0]
    np.testing.assert_array_equal(lines, np.broadcast_to(lines[:1], lines.shape))


def sample(case: Case, *transforms: AnyTransform, seed: int = 0, **frame: Any) -> Sample:
    look = Frame(size=(64, 64), normalise=Fixed(scale=255), **frame)
    draw = Draw(0, Region((5, 5), (69, 69)))
    task = Task(kind="restore", names=("value",))
    return make_sample(case, draw, look, look.normalise, transforms, task, rng(seed, "sample"))


def corrupt(volume: Volume, *noise: AnyCorruption) -> Case:
    return Case("id", "id", Corrupted(volume, noise, 3, "id"), volume)


def test_every_training_sample_has_fresh_noise_on_the_clean_image() -> None:
    case = corrupt(IMAGE, Gaussian(sigma=25))
    one, again, other = (sample(case, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.target, other.target)
    first, second = one.image - one.target, other.image - other.target
    for noise in (first, second):
        assert noise.std() == pytest.approx(25 / 255, rel=0.03)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    fixed = case.image.read(Region((5, 5), (69, 69))) / 255 - one.target
    assert abs(np.corrcoef(first.ravel(), fixed.ravel())[0, 1]) < 0.05


def test_warps_do_not_smooth_the_noise() -> None:
    flat = ArrayVolume(np.full((1, 150, 300), 100, np.uint8), "yx", "a")
    turned = sample(corrupt(flat, Gaussian(sigma=25)), Affine(p=1, rotate=45), Flip(p=1))
    noise = turned.image - 100 / 255  # the mirror of a flat image is flat
    assert noise.std() == pytest.approx(25 / 255, rel=0.03)
    beside = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert abs(beside) < 0.05  # interpolated noise is alike beside itself


def test_the_clean_volume_is_found_behind_slices_and_crops() -> None:
    noisy = Corrupted(CUBE, ALL, 3, "id")
    crop = Crop(noisy, Region((1, 2, 3), (30, 31, 32)))
    plane = Plane(crop, "z", 4, 1)
    clean, found = without_view(plane, Corrupted)
    assert found is noisy
    whole = Region.whole(plane.shape)
    np.testing.assert_array_equal(clean.read(whole), CUBE.array[0, 4:7, 2:31, 3:32])
    assert without_view(CUBE, Corrupted) == (CUBE, None)
    flat = ArrayVolume(np.zeros((1, 80, 80, 3), np.uint8), "zyx", "b")
    slice_ = corrupt(flat, Gaussian(sigma=25)).plane("x", 1)
    assert sample(slice_).image.std() == pytest.approx(25 / 255, rel=0.03)


def test_zeros_beyond_the_border_stay_zero() -> None:
    small = ArrayVolume(np.full((1, 40, 50), 100, np.uint8))
    found = sample(corrupt(small, Gaussian(sigma=25)), border="zero", pad="after")
    assert (found.image[:, :35, :45] != 0).all()
    assert not found.image[:, 40:].any()
    assert not found.image[:, :, 50:].any()
