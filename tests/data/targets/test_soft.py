"""Stored probabilities as a target, read a region at a time."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.samplers import RandomCrop
from lamina.data.targets.soft import SoftTarget
from lamina.data.transforms import Affine, Flip
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.task import Task
from lamina.volume import ArrayVolume, Volume, read_all

SHAPE = (12, 20)
TASK = Task(kind="multilabel", names=("a", "b", "c", "d", "e"))


@pytest.fixture
def stored(tmp_path: Path) -> tuple[SoftTarget, np.ndarray]:
    prob = np.random.default_rng(0).random((5, *SHAPE)).astype(np.float16)
    np.save(tmp_path / "p.npy", prob)
    return SoftTarget(tmp_path / "p.npy", SHAPE, 5), prob


def case(target: Volume, **facts: str) -> Case:
    return Case("p", "p", ArrayVolume(np.zeros((1, *SHAPE), np.uint8)), target, facts=facts)


def test_a_region_is_read_as_float32(stored: tuple[SoftTarget, np.ndarray]) -> None:
    target, prob = stored
    assert isinstance(target, Volume)
    found = target.read(Region((2, 3), (7, 19)))
    assert found.dtype == target.dtype == np.float32
    np.testing.assert_array_equal(found, prob[:, 2:7, 3:19].astype(np.float32))
    again = pickle.loads(pickle.dumps(target))  # loader workers get it
    np.testing.assert_array_equal(read_all(again), prob.astype(np.float32))


def test_a_sample_carries_the_probabilities_flipped_and_warped(
    stored: tuple[SoftTarget, np.ndarray],
) -> None:
    target, prob = stored
    draw = Draw(0, Region((0, 0), SHAPE))
    rng = np.random.default_rng(3)
    options = (Frame(size=SHAPE), Fixed(scale=1.0))
    sample = make_sample(case(target), draw, *options, [], TASK, rng)
    np.testing.assert_array_equal(sample.target, prob.astype(np.float32))
    flipped = make_sample(case(target), draw, *options, [Flip(axes="x", p=1)], TASK, rng)
    np.testing.assert_array_equal(flipped.target, prob[..., ::-1].astype(np.float32))
    turned = make_sample(case(target), draw, *options, [Affine(rotate=20, p=1)], TASK, rng)
    assert turned.target.shape == prob.shape
    assert 0 <= turned.target.min() < turned.target.max() <= 1
    assert len(np.unique(turned.target)) > prob.size / 2  # between neighbours, not nearest


def test_crops_are_laid_around_pixels_that_are_more_likely_than_not(tmp_path: Path) -> None:
    prob = np.full((1, *SHAPE), 0.2, np.float16)
    prob[0, 10, 18] = 0.8
    np.save(tmp_path / "p.npy", prob)
    one = case(SoftTarget(tmp_path / "p.npy", SHAPE, 1), labels="soft", classes="0")
    sampler, rng = RandomCrop(focus=1.0, count=20), np.random.default_rng(0)
    for draw in sampler.draws([one], size=(4, 4), batch=4, epoch=0, rng=rng):
        assert draw.region.start[0] <= 10 < draw.region.stop[0]
        assert draw.region.start[1] <= 18 < draw.region.stop[1]


def test_a_missing_or_other_file_is_named(tmp_path: Path) -> None:
    target = SoftTarget(tmp_path / "p.npy", SHAPE, 5)
    with pytest.raises(DataError, match=r"p\.npy: no such file"):
        read_all(target)
    np.save(tmp_path / "p.npy", np.zeros((4, *SHAPE), np.float16))
    with pytest.raises(DataError, match=r"has shape \(4, 12, 20\), needed is \(5, 12, 20\)"):
        read_all(target)
