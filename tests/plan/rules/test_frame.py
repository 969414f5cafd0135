"""Sizes, slices and normalisation by what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.data.network_input.frame import Frame
from lamina.errors import RecipeError
from lamina.plan.fingerprint.facts import Intensity
from lamina.plan.rules import Wanted
from tests.factories.facts import CUDA, IMAGES, VOLUME, classes, settled


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((320, 300), [256, 256]),
        ((200, 300), [192, 256]),
        ((20, 40), [32, 32]),
        ((64, 99), [64, 96]),
    ],
)
def test_crops_fit_into_the_median_image(shape: tuple[int, int], size: list[int]) -> None:
    assert settled(replace(IMAGES, shape=shape))["frame.size"] == size


def test_a_gpu_has_larger_crops() -> None:
    assert settled(replace(IMAGES, shape=(900, 900)), machine=CUDA)["frame.size"] == [512, 512]


@pytest.mark.parametrize(("width", "size", "batch"), [(3.1, [96, 96], 16), (4.0, [256, 256], 8)])
def test_lines_are_seen_in_small_crops(width: float, size: list[int], batch: int) -> None:
    facts = classes(replace(IMAGES, shape=(462, 951)), width=width)
    found = settled(facts)
    assert (found["frame.size"], found["train.batch"]) == (size, batch)
    assert settled(facts, machine=CUDA)["frame.size"] == [448, 512]


def test_objects_as_large_as_the_image_are_seen_whole() -> None:
    large = classes(replace(IMAGES, shape=(582, 640)), extents=(0.8,))
    found = settled(large)
    assert found["frame.resize"] == found["frame.size"] == [256, 256]
    assert found["predict.overlap"] == 0
    assert "frame.resize" not in settled(classes(IMAGES, extents=(0.8,)))  # 300 is little more
    wide = classes(replace(IMAGES, shape=(400, 1600)), extents=(0.8,))
    assert settled(wide)["frame.resize"] == [128, 512]


@pytest.mark.parametrize(
    ("changes", "axes", "context"),
    [
        ({}, "z", 1),
        ({"roughness": (8.5, 1.0, 1.0)}, "z", None),  # neighbours tell nothing
        ({"shape": (2, 400, 400)}, "z", None),
        ({"shape": (128, 128, 128), "roughness": (1.1, 1.0, 2.1)}, "zy", 1),
        ({"shape": (96, 512, 512), "spacing": (3.0, 0.8, 0.8)}, "z", 1),
        ({"shape": (96, 512, 512), "spacing": (1.0, 0.8, 0.8), "roughness": (1, 1, 1)}, "zy", 1),
    ],
)
def test_slices_of_volumes(changes: dict[str, Any], axes: str, context: int | None) -> None:
    found = settled(replace(VOLUME, **changes))
    assert found["frame.slices.axes"] == axes
    assert found.get("frame.slices.context") == context


def test_dims_settle_the_neighbours() -> None:
    assert "frame.slices.context" not in settled(VOLUME, wanted=Wanted(dims="2d"))
    rough = replace(VOLUME, roughness=(9.0, 1.0, 1.0))
    assert settled(rough, wanted=Wanted(dims="2.5d"))["frame.slices.context"] == 1
    with pytest.raises(RecipeError, match="images have two axes"):
        settled(IMAGES, wanted=Wanted(dims="2.5d"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "dataset"),
        ({"intensity": Intensity(low=0, high=255, between=0.5, within=40)}, "case"),
        ({"dtype": "float32"}, "case"),
    ],
)
def test_normalisation_by_the_spread_between_images(changes: dict[str, Any], kind: str) -> None:
    assert settled(replace(IMAGES, **changes))["frame.normalise"]["kind"] == kind


def test_layers_of_fragments_share_one_mean() -> None:
    """The frame refuses a mean for each layer where samples begin at another depth."""
    layers = replace(IMAGES, data={"kind": "fragments"}, channels=20)
    found = settled(layers)
    assert found["frame.normalise"] == {"kind": "dataset", "pooled": True}
    frame = {key.removeprefix("frame."): value for key, value in found.items() if "frame." in key}
    assert Frame.model_validate(frame).depth is not None


def test_hounsfield_units_keep_their_scale() -> None:
    scan = Intensity(low=-1024, high=3000, between=0.6, within=400)
    assert settled(replace(VOLUME, cases=9, groups=9, intensity=scan))["frame.normalise"] == {
        "kind": "dataset"
    }


RESTORED: dict[str, Any] = {
    "data": {"kind": "corrupt"},
    "task": {"kind": "restore", "names": ["clean"]},
    "classes": None,
}


@pytest.mark.parametrize(
    ("dtype", "low", "high", "within", "unit", "sigma"),
    [
        ("uint8", 3, 255, 52.0, None, 25),
        ("uint16", 0, 40000, 9000.0, None, 4500),
        ("uint16", 0, 425, 80.0, 425, 40),
        ("int16", -1024, 900, 333.0, 1020, 170),
        ("float32", 0, 0.9995, 0.25, 1, 0.12),
    ],
)
def test_noise_and_unit_suit_the_values_that_are_there(
    dtype: str, low: float, high: float, within: float, unit: float | None, sigma: float
) -> None:
    """The greatest value of a type says nothing of floats, and too much of 12 bits in 16."""
    seen = Intensity(low=low, high=high, between=0.1, within=within)
    found = settled(replace(IMAGES, dtype=dtype, intensity=seen, **RESTORED))
    assert found["task"].get("unit") == unit
    assert found["data.noise"] == [{"kind": "gaussian", "sigma": sigma}]
    scale = unit or {"uint8": 255, "uint16": 65535}[dtype]
    assert found["frame.normalise"] == {"kind": "fixed", "mean": 0, "std": 1, "scale": scale}


def test_time_is_kept_in_view() -> None:
    """Of an even volume slices are taken across the other two axes."""
    even = replace(VOLUME, shape=(96,) * 3, least=(96,) * 3, roughness=(1.2, 1.1, 1.0), time="x")
    assert settled(even)["frame.slices.axes"] == "zy"
    assert settled(replace(even, time=""))["frame.slices.axes"] == "yx"
