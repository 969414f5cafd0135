"""What people are shown of an alignment."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lamina.data.flatten import Stack
from lamina.data.flatten.summary import about, in_words
from lamina.volume import ArrayVolume


def test_curves_of_ink_and_background_are_those_of_their_pixels(sheets: SimpleNamespace) -> None:
    """Full, ink and background, as they are and aligned."""
    layers, _ = sheets.sheet(3.0)
    ink = np.zeros(layers.shape[1:], np.uint8)
    ink[40:100, 60:150] = 1
    stack = Stack("a", sheets.stack_of(layers, "a").volume, None, ArrayVolume(ink[None]))
    how = sheets.how.resolved([stack])
    said = about(*how.fit(stack))
    small, there = layers[:, ::2, ::2], ink[::2, ::2] > 0
    assert said["before"]["full"] == pytest.approx(small.mean((1, 2)), abs=0.01)
    assert said["before"]["ink"] == pytest.approx(small[:, there].mean(1), abs=0.01)
    assert said["before"]["background"] == pytest.approx(small[:, ~there].mean(1), abs=0.01)
    assert max(said["after"]["full"]) > max(said["before"]["full"])  # sharper
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert in_words(said).startswith("shifts -")
    assert in_words(said).endswith("scale 1.00")


def test_a_fragment_without_labels_has_no_curve_of_ink(sheets: SimpleNamespace) -> None:
    layers, _ = sheets.sheet(3.0)
    stack = sheets.stack_of(layers, "a")
    said = about(*sheets.how.resolved([stack]).fit(stack))
    assert said["before"]["ink"] is None
    assert said["after"]["ink"] is None
