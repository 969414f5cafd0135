"""Members are built once, named apart, and share out the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lamina.bundle import Part, join
from lamina.errors import ResourceError
from lamina.prediction.members.loaded import Crew
from lamina.prediction.members.out_of_fold import Chosen
from lamina.prediction.streaming import row_bands as bands
from lamina.recipe.recipe import MeanOf
from lamina.volume import ArrayVolume

CPU = torch.device("cpu")


def test_a_member_is_built_once_with_its_own_normalisation(make: Any) -> None:
    crew = Crew([make.bundle()], CPU, None)
    both = crew.members(Chosen(((0, 0), (0, 1)), "new"))
    assert crew.members(Chosen(((0, 1),), "new"))[0].network is both[1].network
    assert both[0].normalise != both[1].normalise
    assert crew.names == ["fold0", "fold1"]


def test_members_of_several_bundles_are_told_apart(make: Any) -> None:
    bundle = make.bundle()
    assert Crew([bundle, bundle], CPU, None).names == ["0:fold0", "0:fold1", "1:fold0", "1:fold1"]


def test_a_smaller_limit_makes_smaller_batches_until_none_fits(make: Any) -> None:
    crew = Crew([make.bundle()], CPU, None)
    image = ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    assert crew.fit([image], None) == 8
    with pytest.raises(ResourceError, match="pass --memory"):
        crew.fit([image], 2**20)


def test_the_weight_of_a_source_is_shared_by_those_of_its_members_that_answer(make: Any) -> None:
    one, two = make.bundle(), make.bundle(seed=5)
    crew = Crew([join([Part("one", one, 2.0), Part("two", two, 1.0)], MeanOf())], CPU, None)
    assert crew.names == ["one-fold0", "one-fold1", "two-fold0", "two-fold1"]
    every = Chosen(((0, 0), (0, 1), (0, 2), (0, 3)), "new")
    assert crew.weights(every) == pytest.approx([4 / 3, 4 / 3, 2 / 3, 2 / 3])
    held_out = Chosen(((0, 0), (0, 2), (0, 3)), "held_out")  # 2 to 1, however many answer
    assert crew.weights(held_out) == pytest.approx([2, 0.5, 0.5])
    assert [one.weight for one in crew.members(held_out)] == crew.weights(held_out)
    assert Crew([one, two], CPU, None).weights(Chosen(((0, 1), (1, 0)), "new")) == [1, 1]


def test_an_image_in_bands_takes_memory_by_its_width(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew([make.bundle()], CPU, None)
    tall, wide = (ArrayVolume(np.zeros((1, *size), np.uint8)) for size in ((8192, 64), (64, 8192)))
    assert not crew.streams(tall)
    before = [crew._held(image) for image in (tall, wide)]
    assert before[0] == before[1]
    monkeypatch.setattr(bands, "LARGE", 1000)
    monkeypatch.setattr(bands, "_THICKEST", 16)
    assert crew.streams(tall)
    assert not crew.streams(ArrayVolume(np.zeros((1, 8, 8), np.uint8)))
    short = ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    assert crew._held(tall) == crew._held(short) < before[0]
    assert crew._held(wide) == 128 * crew._held(short)
    resized = Crew([make.bundle(frame={"size": [32, 32], "resize": [64, 64]})], CPU, None)
    assert not resized.streams(tall)
