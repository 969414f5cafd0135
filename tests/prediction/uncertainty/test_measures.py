"""Entropy against scipy, mutual information against its definition, agreement by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lamina.prediction.uncertainty.measures import Agreement, disagreement, entropy


def test_entropy_is_scipys() -> None:
    rng = np.random.default_rng(0)
    prob = rng.dirichlet((0.3, 0.3, 0.3), 50).T
    np.testing.assert_allclose(
        entropy(prob, exclusive=True)[0], stats.entropy(prob, base=2, axis=0), atol=1e-5
    )
    each = stats.entropy(np.stack([prob, 1 - prob]), base=2, axis=0)
    np.testing.assert_allclose(entropy(prob, exclusive=False), each, atol=1e-5)


@pytest.mark.parametrize("exclusive", [False, True])
def test_mutual_information_is_what_members_do_not_share(exclusive: bool) -> None:
    rng = np.random.default_rng(1)
    probs = [rng.dirichlet((1, 1), 30).T for _ in range(3)]
    weights = [1.0, 2.0, 1.0]
    mean = sum(w / 4 * p for w, p in zip(weights, probs, strict=True))
    each = [entropy(p, exclusive=exclusive) for p in probs]
    inside = sum(w / 4 * one for w, one in zip(weights, each, strict=True))
    found = disagreement(probs, weights, exclusive=exclusive)
    np.testing.assert_allclose(found, entropy(mean, exclusive=exclusive) - inside, atol=1e-5)
    assert (found >= 0).all()
    alike = disagreement([probs[0]] * 2, [1, 1], exclusive=exclusive)
    np.testing.assert_allclose(alike, 0, atol=1e-6)


def test_certain_members_that_contradict_each_other_differ_by_one_bit() -> None:
    found = disagreement([np.array([[0.0]]), np.array([[1.0]])], [1, 1], exclusive=False)
    assert found.tolist() == [[1.0]]


def test_agreement_is_the_mean_dice_of_pairs_in_parts_as_whole() -> None:
    rng = np.random.default_rng(2)
    masks = [rng.random((2, 12, 5)) < 0.4 for _ in range(3)]
    for one in masks:
        one[1] = False
    whole, parts = Agreement(), Agreement()
    whole.add(masks)
    for rows in (slice(0, 5), slice(5, 12)):
        parts.add([mask[:, rows] for mask in masks])
    pairs = [(0, 1), (0, 2), (1, 2)]
    wanted = [
        2 * (masks[a][0] & masks[b][0]).sum() / (masks[a][0].sum() + masks[b][0].sum())
        for a, b in pairs
    ]
    assert whole.value() == pytest.approx([np.mean(wanted), 1.0])
    assert parts.value() == pytest.approx(whole.value())
