"""Agreement by hand, and the orders that a label tells from the right one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.doctor.orientation.evidence import (
    Evidence,
    PairMoments,
    boxes_of,
    combine_evidence,
    features,
    orders_of,
)
from lamina.seeding import rng
from lamina.synthetic.seismic import volume
from lamina.volume import ArrayVolume


def case(image: NDArray[Any], label: NDArray[Any], valid: NDArray[Any] | None = None) -> Case:
    axes = "zyx"[-image.ndim :]
    held = [None if one is None else ArrayVolume(one[None], axes) for one in (label, valid)]
    return Case("a", "a", ArrayVolume(image[None], axes), held[0], held[1])


def evidence(image: NDArray[Any], label: NDArray[Any]) -> Evidence | None:
    found = boxes_of(case(image, label.astype(np.uint8)), rng(0, "test"))
    return combine_evidence(orders_of(image.shape), found)


def right_order(stored: tuple[int, ...]) -> tuple[int, ...]:
    """Return what undoes ``image.transpose(stored)``."""
    return tuple(int(k) for k in np.argsort(stored))


def test_orders_are_those_that_keep_the_shape() -> None:
    assert orders_of((20, 30, 40)) == ((0, 1, 2),)
    assert orders_of((5, 7, 5)) == ((0, 1, 2), (2, 1, 0))
    assert len(orders_of((9, 9, 9))) == 6
    assert orders_of((4, 4)) == ((0, 1), (1, 0))


def test_agreement_is_the_share_explained_by_a_regression_of_one_on_the_signs() -> None:
    chance = np.random.default_rng(3)
    signs = np.sign(chance.normal(0.4, 1, (5, 3, 400)))  # boxes, features, pairs
    boxes = [(PairMoments(1, 400, sign.sum(1)[None], (sign @ sign.T)[None]),) for sign in signs]
    found = combine_evidence(((0, 1),), boxes)
    assert found is not None
    rows = np.concatenate(list(signs), axis=1).T  # (pairs, features)
    weights, *_ = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)
    explained = 1 - ((1 - rows @ weights) ** 2).mean()
    assert found.agreement[0] == pytest.approx(explained, abs=2e-3)


def test_a_label_that_is_brighter_in_every_pair_agrees_wholly() -> None:
    image = np.zeros((64, 64, 64), np.float32)
    label = np.zeros(image.shape, np.bool_)
    label[:, ::16, :] = True
    image[label] = 5
    found = evidence(image, label)
    assert found is not None
    assert found.best == 0
    assert found.agreement[0] > 0.9
    # planes across y are planes across z and x when the axes are exchanged, and match nothing
    wrong = found.agreement[found.orders.index((1, 0, 2))]
    assert wrong < 0.1


def test_features_do_not_care_for_the_order_of_the_axes() -> None:
    image = np.random.default_rng(0).normal(size=(9, 10, 11)).astype(np.float32)
    for order in permutations(range(3)):
        seen, turned = features(image), features(image.transpose(order))
        np.testing.assert_allclose(turned[0], seen[0].transpose(order), atol=1e-5)
        for place, axis in enumerate(order):
            np.testing.assert_allclose(
                turned[1 + place], seen[1 + axis].transpose(order), atol=1e-5
            )
        np.testing.assert_allclose(turned[4], seen[4].transpose(order), atol=1e-5)


def test_features_of_a_step_by_hand() -> None:
    image = np.repeat(np.array([0, 0, 0, 0, 9, 9, 9, 9], np.float32)[None], 8, axis=0)
    bright, down, across, _ = features(image)
    np.testing.assert_allclose(bright[0], [0, 0, 0, 3, 6, 9, 9, 9], atol=1e-5)
    assert not down.any()
    # differences over four pixels are 9 at columns 2 to 5, then averaged over three
    np.testing.assert_allclose(across[0], [0, 3, 6, 9, 9, 6, 3, 0], atol=1e-5)


@pytest.mark.parametrize("stored", list(permutations(range(3))))
def test_faults_tell_every_order_of_the_axes(stored: tuple[int, ...]) -> None:
    image, faults = volume(3, seed=11, shape=(64, 64, 64))
    found = evidence(np.ascontiguousarray(image.transpose(stored)), faults)
    assert found is not None
    assert found.orders[found.best] == right_order(stored)
    if found.best:
        assert found.surer[found.best] > 4
        assert found.agreement[found.best] > 5 * found.agreement[0]


def test_a_label_without_relation_makes_no_order_sure() -> None:
    image, _ = volume(1, seed=11, shape=(48, 48, 48))
    _, faults = volume(2, seed=11, shape=(48, 48, 48))
    found = evidence(image, faults)
    assert found is not None
    assert max(found.surer) < 4


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_that_is_nowhere_or_everywhere_says_nothing(value: int) -> None:
    image = np.random.default_rng(0).normal(size=(40, 40, 40)).astype(np.float32)
    assert evidence(image, np.full(image.shape, value)) is None


def test_voxels_that_do_not_count_are_in_no_pair() -> None:
    image, faults = volume(0, seed=11, shape=(48, 48, 48))
    label = faults.astype(np.uint8)
    whole = boxes_of(case(image, label), rng(0, "test"))
    assert whole
    ignored = np.zeros_like(label)
    assert boxes_of(case(image, label, ignored), rng(0, "test")) == []


def test_classes_are_weighed_each_by_itself() -> None:
    """One class is dark and one bright: together they would cancel out."""
    chance = np.random.default_rng(0)
    label = np.zeros((64, 64), np.uint8)
    label[8:24, 8:56], label[40:44, 8:56] = 1, 2
    image = chance.normal(size=label.shape).astype(np.float32)
    image += np.choose(label, [0, 8, -8]).astype(np.float32)
    for turned in (image, np.ascontiguousarray(image.T)):
        found = evidence(turned, label)
        assert found is not None
        assert (found.best == 0) == (turned is image)
        assert found.agreement[found.best] > 0.4


def test_thin_volumes_are_no_fault() -> None:
    chance = np.random.default_rng(0)
    label = np.zeros((2, 96, 96), np.uint8)
    label[:, 10:20] = 1
    image = chance.normal(size=label.shape).astype(np.float32) + 6 * label
    found = evidence(np.ascontiguousarray(image.transpose(0, 2, 1)), label)
    assert found is not None
    assert found.orders[found.best] == (0, 2, 1)
