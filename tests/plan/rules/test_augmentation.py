"""Mirrors only where the mirrored image could be an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.rules import Dims, Wanted
from tests.factories.facts import CPU, CUDA, IMAGES, VOLUME, classes, settled

BOTH = {"kind": "binary", "names": ["left", "right"]}


@pytest.mark.parametrize(
    ("changes", "axes", "views"),
    [
        ({}, "yx", "flips"),
        ({"alike": 0.8, "mirrored": (0.2, 0.9)}, "x", "flip_x"),
        ({"alike": 0.8, "mirrored": (0.9, 0.2)}, "y", "flip_y"),
        ({"alike": 0.8, "mirrored": (0.2, 0.2)}, None, "as_is"),
        ({"task": {"kind": "multiclass", "names": ["none", "lung left", "l"]}}, None, "as_is"),
        ({"task": {"kind": "multiclass", "names": ["none", "cleft", "bright"]}}, "yx", "flips"),
    ],
)
def test_mirrors(changes: dict[str, Any], axes: str | None, views: str) -> None:
    facts = replace(IMAGES, **changes)
    if len(facts.names) > 1:
        facts = classes(facts, shares=(0.1, 0.1), cases=(40, 40), left=(0.5, 0.5))
    found = settled(facts)
    flips = [one["axes"] for one in found["transforms"] if one["kind"] == "flip"]
    assert flips == ([] if axes is None else [axes])
    assert found["predict.views"] == views


def test_classes_on_either_side_are_not_mirrored() -> None:
    two = replace(IMAGES, task={"kind": "multiclass", "names": ["none", "a", "b"]})
    apart = classes(two, shares=(0.1, 0.1), cases=(40, 40), left=(0.98, 0.03))
    assert settled(apart)["predict.views"] == "as_is"


def test_slices_that_are_even_in_plane_are_turned() -> None:
    found = settled(replace(VOLUME, shape=(20, 512, 512)))
    assert {"kind": "rot90", "p": 0.75} in found["transforms"]
    assert found["predict.views"] == "dihedral"
    layered = settled(replace(VOLUME, shape=(20, 512, 512), roughness=(2.7, 2.0, 1.0)))
    assert layered["predict.views"] == "flips"


def test_what_is_further_apart_along_one_axis_is_not_turned() -> None:
    """Of slices the axes of the plane count, of blocks y and x."""
    even = replace(VOLUME, shape=(20, 512, 512), least=(20, 512, 512))
    across = replace(even, shape=(512, 20, 512), cut="y", roughness=(1, 2.7, 1))
    tried: list[tuple[Facts, Dims, str]] = [
        (replace(even, uneven=("zy", "zx")), "auto", "dihedral"),
        (replace(even, uneven=("zy", "yx")), "auto", "flips"),
        (replace(even, uneven=("zy", "zx")), "3d", "dihedral"),
        (replace(even, uneven=("zy", "yx")), "3d", "flips_yx"),
        (replace(across, uneven=("yx",)), "auto", "dihedral"),
        (replace(across, uneven=("zx",)), "auto", "flips"),
    ]
    for facts, dims, views in tried:
        found = settled(facts, wanted=Wanted(dims=dims))
        assert any(one["kind"] == "rot90" for one in found["transforms"]) == (views == "dihedral")
        if dims == "auto":
            assert found["predict.views"] == views


def test_lines_are_neither_blurred_nor_made_much_smaller() -> None:
    thin, wide = (
        {one["kind"]: one for one in settled(classes(IMAGES, width=width))["transforms"]}
        for width in (3.1, 4.0)
    )
    assert "blur" in wide
    assert set(wide) - set(thin) == {"blur"}
    assert thin["affine"]["scale"][0] * 3.1 > 2.5 > wide["affine"]["scale"][0] * 3.1


@pytest.mark.parametrize(
    ("width", "minutes", "machine", "overfit"),
    [
        (3, 30, CPU, False),  # 7.8 for a million
        (3, 31, CPU, True),  # 8.1
        (4, 30, CPU, False),
        (4, 31, CPU, True),
        (3, 31, CUDA, False),
    ],
)
def test_images_with_much_time_for_each_pixel_are_kept_from_overfitting(
    width: float, minutes: float, machine: Machine, overfit: bool
) -> None:
    """Forty images of 320 x 300 have 3.84 million pixels."""
    found = settled(classes(IMAGES, width=width), machine=machine, wanted=Wanted(minutes=minutes))
    transforms = {one["kind"]: one for one in found["transforms"]}
    assert (transforms["affine"]["rotate"] == 30) == overfit
    assert (transforms["noise"]["high"] > 0.04) == overfit
    assert (found.get("network.dropout") is not None) == overfit
    assert ("weight_decay" in found["train.optimizer"]) == overfit
    assert ("blur" in transforms) == (width == 4)


@pytest.mark.parametrize(
    ("minutes", "machine", "underfit"),
    [(7.6, CPU, True), (7.7, CPU, False), (7.6, CUDA, False)],  # 1.98 and 2.01 for a million
)
def test_images_with_little_time_for_each_pixel_are_changed_less(
    minutes: float, machine: Machine, underfit: bool
) -> None:
    """Forty images of 320 x 300 have 3.84 million pixels."""
    found = settled(IMAGES, machine=machine, wanted=Wanted(minutes=minutes))
    transforms = {one["kind"]: one for one in found["transforms"]}
    assert (transforms["affine"]["scale"] == [0.85, 1.2]) == underfit
    assert (transforms["brightness_contrast"]["contrast"] == 0.2) == underfit
    assert ("blur" in transforms) != underfit
    assert ("noise" in transforms) != underfit


def test_lines_are_changed_no_more_for_want_of_time() -> None:
    short, long = (
        {one["kind"]: one for one in settled(classes(IMAGES, width=3), wanted=wanted)["transforms"]}
        for wanted in (Wanted(minutes=7), Wanted(minutes=8))
    )
    assert short["affine"] == long["affine"]
    assert "noise" not in short
    assert "noise" in long


def test_whole_images_count_the_pixels_that_are_seen() -> None:
    """Twenty-five images of 1024 x 1024, seen as 256 x 256, have 1.64 million pixels."""
    chests = replace(
        classes(IMAGES, extents=(0.6,), width=40),
        cases=25,
        shape=(1024, 1024),
        alike=0.8,
        mirrored=(0.2, 0.9),
    )
    short, long = (settled(chests, wanted=Wanted(minutes=minutes)) for minutes in (13, 13.2))
    assert short["frame.resize"] == [256, 256]
    assert "network.dropout" not in short
    assert long["network.dropout"] > 0
    far, near = (
        next(one for one in found["transforms"] if one["kind"] == "affine")
        for found in (long, short)
    )
    assert far["scale"][0] < near["scale"][0] < 1 < near["scale"][1] < far["scale"][1]
    assert far["rotate"] < 30  # they are still laid out alike


def test_pixels_seen_at_half_the_resolution_are_a_quarter() -> None:
    """Forty images of 320 x 300 are 3.84 million pixels, seen as 0.96."""
    wide = classes(IMAGES, width=12)
    for minutes, overfit in ((7.6, False), (7.7, True)):
        found = settled(wide, wanted=Wanted(minutes=minutes))
        assert found["network.shrink"] == 2
        assert ("network.dropout" in found) == overfit


def test_time_changes_no_value_for_slices() -> None:
    """Twenty slices of 1024 x 576 are 11.8 million pixels: 8.5 minutes for a million."""
    found = settled(VOLUME, wanted=Wanted(minutes=100))
    assert found == settled(VOLUME, wanted=Wanted(minutes=6))


@pytest.mark.parametrize(("dims", "axes"), [("2d", "y"), ("3d", "zy")])
def test_time_is_not_turned_back(dims: Dims, axes: str) -> None:
    survey = replace(VOLUME, shape=(90, 90, 90), least=(90, 90, 90), roughness=(1, 1, 1), time="x")
    found = settled(survey, wanted=Wanted(dims=dims))
    flips = [one["axes"] for one in found["transforms"] if one["kind"] == "flip"]
    assert flips == [axes]
    assert not any(one["kind"] == "rot90" for one in found["transforms"])
    assert found["predict.views"] == "flip_y"


def test_images_laid_out_alike_are_moved_less() -> None:
    far, near = (
        next(one for one in settled(facts)["transforms"] if one["kind"] == "affine")
        for facts in (IMAGES, replace(IMAGES, alike=0.8, mirrored=(0.2, 0.9)))
    )
    assert near["rotate"] < far["rotate"]
