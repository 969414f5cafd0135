"""Members are built once, named apart, and share out the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lamina.bundle import Part, join
from lamina.errors import ResourceError
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.streaming import row_bands as bands
from lamina.recipe.recipe import MeanOf
from lamina.volume import ArrayVolume

CPU = torch.device("cpu")


def test_a_member_is_built_once_with_its_own_normalisation(make: Any) -> None:
    loaded = LoadedMembers([make.bundle()], CPU, None)
    both = loaded.members(ChosenMembers(((0, 0), (0, 1)), "new"))
    assert loaded.members(ChosenMembers(((0, 1),), "new"))[0].network is both[1].network
    assert both[0].normalise != both[1].normalise
    assert loaded.names == ["fold0", "fold1"]


def test_members_of_several_bundles_are_told_apart(make: Any) -> None:
    bundle = make.bundle()
    assert LoadedMembers([bundle, bundle], CPU, None).names == [
        "0:fold0",
        "0:fold1",
        "1:fold0",
        "1:fold1",
    ]


def test_a_smaller_limit_makes_smaller_batches_until_none_fits(make: Any) -> None:
    loaded = LoadedMembers([make.bundle()], CPU, None)
    image = ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    assert loaded.batch_size([image], None) == 8
    with pytest.raises(ResourceError, match="pass --memory"):
        loaded.batch_size([image], 2**20)


def test_networks_that_are_still_to_be_built_take_memory(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two members of which one is built to measure it: the other's weights are counted."""
    monkeypatch.setattr("lamina.prediction.members.loaded.used_memory", lambda: 0)
    loaded = LoadedMembers([make.bundle()], CPU, None)
    one, image = make.bundle().network(0), ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    weights = sum(value.numel() * value.element_size() for value in one.state_dict().values())
    with pytest.raises(ResourceError, match="--memory"):
        loaded.batch_size([image], 1)
    left = [loaded.slab_memory(2**30, batch) for batch in (0, 1)]
    assert left[0] == 2**30 - weights
    assert loaded.batch_size([image], 2**30 - left[1] + loaded.held(image)) == 1
    with pytest.raises(ResourceError, match="--memory"):
        loaded.batch_size([image], 2**30 - left[1] + loaded.held(image) - 1)
    loaded.members(ChosenMembers(((0, 0), (0, 1)), "new"))
    assert loaded.slab_memory(2**30, 0) == 2**30


def test_the_weight_of_a_source_is_shared_by_those_of_its_members_that_answer(make: Any) -> None:
    one, two = make.bundle(), make.bundle(seed=5)
    loaded = LoadedMembers(
        [join([Part("one", one, 2.0), Part("two", two, 1.0)], MeanOf())], CPU, None
    )
    assert loaded.names == ["one-fold0", "one-fold1", "two-fold0", "two-fold1"]
    every = ChosenMembers(((0, 0), (0, 1), (0, 2), (0, 3)), "new")
    assert loaded.weights(every) == pytest.approx([4 / 3, 4 / 3, 2 / 3, 2 / 3])
    held_out = ChosenMembers(((0, 0), (0, 2), (0, 3)), "held_out")  # 2 to 1, however many answer
    assert loaded.weights(held_out) == pytest.approx([2, 0.5, 0.5])
    assert [member.weight for member in loaded.members(held_out)] == loaded.weights(held_out)
    assert LoadedMembers([one, two], CPU, None).weights(ChosenMembers(((0, 1), (1, 0)), "new")) == [
        1,
        1,
    ]


def test_an_image_in_bands_takes_memory_by_its_width(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = LoadedMembers([make.bundle()], CPU, None)
    tall, wide = (ArrayVolume(np.zeros((1, *size), np.uint8)) for size in ((8192, 64), (64, 8192)))
    assert not loaded.streams(tall)
    before = [loaded.held(image) for image in (tall, wide)]
    assert before[0] == before[1]
    monkeypatch.setattr(bands, "LARGE", 1000)
    monkeypatch.setattr(bands, "_THICKEST", 16)
    assert loaded.streams(tall)
    assert not loaded.streams(ArrayVolume(np.zeros((1, 8, 8), np.uint8)))
    short = ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    assert loaded.held(tall) == loaded.held(short) < before[0]
    assert loaded.held(wide) == 128 * loaded.held(short)
    resized = LoadedMembers([make.bundle(frame={"size": [32, 32], "resize": [64, 64]})], CPU, None)
    assert not resized.streams(tall)
