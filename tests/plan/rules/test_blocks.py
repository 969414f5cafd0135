"""Blocks of voxels: when they are planned, how large they are, and what learns from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.errors import RecipeError
from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.rules import Wanted
from tests.factories.facts import CPU, CUDA, IMAGES, VOLUME, settled

BLOCKS = Wanted(dims="3d")
SECTIONS = replace(VOLUME, spacing=(50.0, 4.6, 4.6))
EVEN = replace(VOLUME, shape=(128,) * 3, least=(128,) * 3, roughness=(1.0, 1.0, 1.1))
SCAN = replace(VOLUME, axes="xyz", spacing=(0.8, 0.8, 3.0), least=(512, 512, 30))


@pytest.mark.parametrize(
    ("facts", "machine", "size", "spacing", "blocks"),
    [
        (SECTIONS, CPU, [8, 112, 112], [11, 1, 1], [1, 1, 1, 1]),
        (SECTIONS, CUDA, [16, 224, 224], [11, 1, 1], [1, 3, 4, 6, 6, 6]),
        (EVEN, CPU, [48, 48, 48], [1, 1, 1], [1, 1, 1, 1]),
        (EVEN, CUDA, [96, 96, 96], [1, 1, 1], [1, 3, 4, 6, 6]),
        (SCAN, CUDA, [24, 192, 192], [3.8, 1, 1], [1, 3, 4, 6, 6, 6]),
        (replace(EVEN, least=(24, 24, 24)), CPU, [24, 24, 24], [1, 1, 1], [1, 1, 1]),
        (replace(EVEN, least=(5, 128, 128)), CPU, [8, 128, 128], [1, 1, 1], [1, 1, 1, 1]),
        (replace(EVEN, roughness=(3.0, 1, 1)), CPU, [24, 80, 80], [3, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_blocks_are_about_as_long_along_all_axes(
    facts: Facts, machine: Machine, size: list[int], spacing: list[float], blocks: list[int]
) -> None:
    found = settled(facts, machine=machine, wanted=BLOCKS)
    assert found["frame.size"] == size
    assert found["network.kind"] == "resunet"
    assert found["network.spacing"] == spacing
    assert found["network.blocks"] == blocks
    assert "frame.slices.axes" not in found


@pytest.mark.parametrize(
    ("changes", "machine", "minutes", "axes"),
    [
        ({}, CUDA, 20, 3),
        ({}, CPU, 20, 2),
        ({}, CPU, 300, 3),
        ({"least": (24, 128, 128)}, CUDA, 20, 2),
        ({"spacing": (1.5, 1.0, 1.0)}, CUDA, 20, 3),
        ({"spacing": (3.0, 1.0, 1.0)}, CUDA, 20, 2),
        ({"roughness": (2.7, 1.0, 1.0)}, CUDA, 20, 2),
    ],
)
def test_blocks_are_planned_where_voxels_are_even_and_there_is_time(
    changes: dict[str, Any], machine: Machine, minutes: float, axes: int
) -> None:
    found = settled(replace(EVEN, **changes), machine=machine, wanted=Wanted(minutes=minutes))
    assert len(found["frame.size"]) == axes


def test_what_learns_from_blocks() -> None:
    found = settled(SECTIONS, wanted=BLOCKS)
    assert found["train.batch"] == 2
    assert {"kind": "flip", "axes": "zyx", "p": 0.5} in found["transforms"]
    assert found["predict.views"] == "flips_yx"
    assert found["loss"][1] == {"kind": "dice", "over": "batch"}
    restored = settled(replace(SECTIONS, task={"kind": "restore", "names": ["x"]}), wanted=BLOCKS)
    assert restored["network.residual"] is True
    assert "network.supervision" not in restored


def test_blocks_of_images_and_of_few_slices_are_refused() -> None:
    with pytest.raises(RecipeError, match="images have two axes"):
        settled(IMAGES, wanted=BLOCKS)
    with pytest.raises(RecipeError, match=r"has 3 slices.*--dims 2d or 2\.5d"):
        settled(replace(EVEN, least=(3, 128, 128)), wanted=BLOCKS)
