"""Places of classes against numpy, in one pass, in any pieces, and no more than are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data import class_places
from lamina.data.class_places import find_places, masks_of
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume

CHANCE = np.random.default_rng(0)
LABELS = np.where(CHANCE.random((1, 6, 20, 30)) < 0.8, 0, CHANCE.integers(1, 4, (1, 6, 20, 30)))
LABELS = LABELS.astype(np.uint8)


@dataclass(frozen=True)
class Counted(ArrayVolume):
    """An array that counts how often each voxel is read."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LABELS.shape[1:], np.int64))

    def read(self, region: Region) -> NDArray[Any]:
        self.counts[region.slices] += 1
        return super().read(region)


def test_all_places_of_each_class_are_found_in_one_pass() -> None:
    volume = Counted(LABELS, "zyx")
    found = find_places(volume, piece=500)
    assert (volume.counts == 1).all()
    assert found.classes == (1, 2, 3)
    for k in found.classes:
        np.testing.assert_array_equal(found.flat[k], np.flatnonzero(LABELS[0] == k))


def test_channels_are_classes_and_probabilities_of_half_are_set() -> None:
    masks = np.stack([LABELS[0] == 1, np.zeros_like(LABELS[0]), LABELS[0] == 3])
    found = find_places(ArrayVolume(masks.astype(np.uint8), "zyx"))
    assert found.classes == (0, 2)
    np.testing.assert_array_equal(found.flat[2], np.flatnonzero(LABELS[0] == 3))
    soft = CHANCE.random((2, 9, 9)).astype(np.float32)
    found = find_places(ArrayVolume(soft), soft=True)
    np.testing.assert_array_equal(found.flat[1], np.flatnonzero(soft[1] >= 0.5))


def test_of_more_places_as_many_are_kept_whatever_the_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(class_places, "MOST", 50)
    volume = ArrayVolume(LABELS, "zyx")
    whole, parts = find_places(volume), find_places(volume, piece=97)
    for k in (1, 2, 3):
        assert len(whole.flat[k]) == 50
        assert set(whole.flat[k]) <= set(np.flatnonzero(LABELS[0] == k))
        np.testing.assert_array_equal(whole.flat[k], parts.flat[k])


def test_places_that_are_kept_lie_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a target all of one class, each tenth of it holds about a tenth of what is kept."""
    monkeypatch.setattr(class_places, "MOST", 2000)
    found = find_places(ArrayVolume(np.ones((1, 10, 50, 100), np.uint8), "zyx"))
    counts = np.bincount(found.flat[1] // 5000, minlength=10)
    assert counts.sum() == 2000
    assert 140 < counts.min() <= counts.max() < 260


def test_each_class_is_drawn_as_often_and_each_of_its_places() -> None:
    found = find_places(ArrayVolume(LABELS, "zyx"))
    rng = np.random.default_rng(1)
    drawn = [found.draw(rng) for _ in range(3000)]
    classes = [int(LABELS[(0, *at)]) for at in drawn if at is not None]
    assert [classes.count(k) for k in (1, 2, 3)] == pytest.approx([1000] * 3, abs=110)
    assert {LABELS[(0, *at)] for _ in range(50) if (at := found.draw(rng, 2))} == {2}
    assert found.draw(rng, 9) is None
    assert find_places(ArrayVolume(np.zeros((1, 4, 4), np.uint8))).draw(rng) is None


def test_at_another_size_places_are_the_pixels_that_their_centres_are_in() -> None:
    target = np.zeros((1, 4, 6), np.uint8)
    target[0, 1, 2] = target[0, 3, 5] = 1
    found = find_places(ArrayVolume(target))
    assert [divmod(int(at), 12) for at in found.resized((8, 12)).flat[1]] == [(3, 5), (7, 11)]
    assert [divmod(int(at), 3) for at in found.resized((2, 3)).flat[1]] == [(0, 1), (1, 2)]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64])
def test_masks_are_of_the_values_that_numpy_finds(kind: type[np.integer[Any]]) -> None:
    target = np.where(CHANCE.random((1, 30, 40)) < 0.9, 0, CHANCE.integers(0, 120, (1, 30, 40)))
    target = target.astype(kind)
    found = list(masks_of(target))
    assert [k for k, _ in found] == [value for value in np.unique(target).tolist() if value]
    for k, mask in found:
        np.testing.assert_array_equal(mask, target[0] == k)
    assert list(masks_of(np.zeros_like(target))) == []
