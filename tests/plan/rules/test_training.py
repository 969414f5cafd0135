"""Network, loss, sampler and decision by what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.plan.rules import Wanted
from tests.factories.facts import CUDA, IMAGES, VOLUME, classes, settled

MULTILABEL: dict[str, Any] = {"kind": "multilabel", "names": ["a", "b"]}
RARE = classes(
    replace(IMAGES, task=MULTILABEL),
    shares=(0.001, 0.02),
    cases=(4, 8),
    extents=(0.1, 0.1),
    left=(0.5, 0.5),
    empty=28,
)


@pytest.mark.parametrize(
    ("share", "prior"), [(0.05, 0.05), (0.0001, 0.01), (0.7, 0.3), (0.0848, 0.08)]
)
def test_the_prior_is_the_share_of_the_class(share: float, prior: float) -> None:
    assert settled(classes(IMAGES, shares=(share,)))["network.prior"] == prior


@pytest.mark.parametrize(("width", "shrink"), [(3, None), (12, 2)])
def test_wide_objects_are_seen_at_half_the_resolution(width: float, shrink: int | None) -> None:
    assert settled(classes(IMAGES, width=width)).get("network.shrink") == shrink
    assert "network.shrink" not in settled(classes(IMAGES, width=width), machine=CUDA)


def test_empty_cases_are_drawn_less_and_calibrated() -> None:
    found = settled(RARE)
    assert found["train.sampler"]["kind"] == "balanced"
    assert found["calibrate"] == "platt"
    assert found["loss"][1] == {"kind": "dice", "absent": "skip"}
    assert found["metric"] == {"kind": "dice", "over": "image_class", "empty": "one"}
    full = settled(IMAGES)
    assert full["train.sampler"] == {"kind": "random_crop", "focus": 0.33}
    assert "calibrate" not in full


@pytest.mark.parametrize(("share", "focus"), [(0.004, 0.5), (0.2, 0.33)])
def test_rare_pixels_are_looked_for(share: float, focus: float) -> None:
    assert settled(classes(IMAGES, shares=(share,)))["train.sampler"]["focus"] == focus


@pytest.mark.parametrize(("minutes", "rate"), [(7.6, 1e-3), (7.7, 5e-4)])
def test_several_classes_are_learnt_slowly_where_there_is_time(minutes: float, rate: float) -> None:
    """Forty images of 320 x 300 have 3.84 million pixels: 1.98 and 2.01 minutes for each."""
    found = settled(RARE, wanted=Wanted(minutes=minutes))
    assert found["train.optimizer"]["lr"] == rate
    assert found["train.optimizer"]["weight_decay"] == 0.05


def test_thin_lines_share_one_ratio_of_overlap() -> None:
    assert settled(classes(IMAGES, width=3))["loss"][1] == {"kind": "dice", "over": "batch"}
    assert settled(classes(IMAGES, width=12))["loss"][1] == {"kind": "dice"}


def test_exclusive_classes() -> None:
    three = replace(IMAGES, task={"kind": "multiclass", "names": ["none", "a", "b"]})
    found = settled(classes(three, shares=(0.1, 0.1), cases=(40, 40), left=(0.5, 0.5)))
    assert found["loss"][0] == {"kind": "cross_entropy"}
    assert found["decide"] == {"kind": "argmax"}


def test_one_volume_is_scored_as_a_whole_and_chooses_no_epoch() -> None:
    found = settled(VOLUME)
    assert found["metric"] == {"kind": "dice", "over": "pooled"}
    assert found["train.member"] == "last"


def test_restored_values() -> None:
    task = {"kind": "restore", "names": ["clean"]}
    found = settled(replace(IMAGES, task=task, data={"kind": "corrupt"}, classes=None))
    assert found["network"]["kind"] == "drunet"
    assert found["loss"] == [{"kind": "l1"}]
    assert found["frame.normalise"]["scale"] == 255
    assert found["decide"] == {"kind": "as_is"}
    assert found["data.noise"] == [{"kind": "gaussian", "sigma": 25}]


def test_a_metric_that_is_asked_for() -> None:
    metric = {"kind": "iou", "over": "pooled"}
    assert settled(IMAGES, wanted=Wanted(metric=metric))["metric"] == metric


@pytest.mark.parametrize(
    ("name", "called"), [("Tiles 1", "tiles-1"), ("2024 scans", "data-2024-scans"), ("ä", "data")]
)
def test_the_name_is_that_of_the_folder(name: str, called: str) -> None:
    assert settled(replace(IMAGES, name=name))["name"] == called


@pytest.mark.parametrize(("kind", "rate"), [("corrupt", 1.5e-3), ("folder", 1e-3)])
def test_noise_that_is_drawn_anew_is_learnt_at_a_higher_rate(kind: str, rate: float) -> None:
    task = {"kind": "restore", "names": ["clean"]}
    found = settled(replace(IMAGES, data={"kind": kind}, task=task, classes=None))
    assert found["train.optimizer"]["lr"] == rate
    assert found["train.optimizer"]["weight_decay"] == 0
