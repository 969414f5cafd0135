"""Comments say what was measured, and nothing that was not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamina.plan.fingerprint.facts import Facts
from lamina.plan.rules import Wanted, settings_of
from tests.factories.facts import CPU, IMAGES, VOLUME, classes

RESTORED = replace(
    IMAGES, data={"kind": "corrupt"}, task={"kind": "restore", "names": ["clean"]}, classes=None
)
TWO: dict[str, Any] = {"kind": "multilabel", "names": ["a", "b"]}
SEVERAL = classes(
    replace(IMAGES, task=TWO),
    shares=(0.2, 0.1),
    cases=(40, 11),
    extents=(0.2, 0.2),
    left=(0.5,) * 2,
)
BALANCED = classes(IMAGES, empty=30, cases=(10,))


@pytest.mark.parametrize(
    ("facts", "key", "said"),
    [
        (VOLUME, "predict.views", "nothing is known that a mirror would change"),
        (replace(IMAGES, alike=0.0), "predict.views", "nothing is known that a mirror"),
        (IMAGES, "predict.views", "images are not laid out alike (correlation 0.10)"),
        (VOLUME, "frame.normalise", "one case: its own mean and spread"),
        (IMAGES, "frame.normalise", "means of images spread 0.10 times"),
        (RESTORED, "train.clip_norm", "no single crop may move the weights far"),
        (IMAGES, "train.clip_norm", "overlap of small objects has spiky gradients"),
        (SEVERAL, "metric", "a class that is nowhere counts 1: the rarest is in 11 of 40 cases"),
        (SEVERAL, "train.optimizer", "the rarest of 2 classes is in 11 cases"),
        (IMAGES, "metric", "every case shows something"),
        (replace(IMAGES, cases=4), "network.dropout", "52 min for a million pixels, which would"),
        (BALANCED, "train.sampler", "75% of the cases are empty; calibration undoes"),
        (replace(BALANCED, groups=3), "split.count", "each fold holds one of them out"),
        (replace(IMAGES, groups=1), "metric", "one group: all held-out pixels together"),
    ],
)
def test_the_reason_of_a_value(facts: Facts, key: str, said: str) -> None:
    (why,) = (one.why for one in settings_of(facts, CPU, Wanted()) if one.key == key)
    assert said in why


def test_calibration_is_only_named_where_there_is_one() -> None:
    found = {one.key: one for one in settings_of(replace(BALANCED, groups=3), CPU, Wanted())}
    assert "calibrate" not in found
    assert found["train.sampler"].why == "75% of the cases are empty"
