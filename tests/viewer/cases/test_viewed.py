"""Shares of uncertain pixels against the probabilities themselves."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.result.search.histogram import count
from lamina.viewer.cases.viewed import UNSURE, unsure_share


@pytest.mark.parametrize("edges", [False, True])
def test_uncertain_is_strictly_between_the_ends(edges: bool) -> None:
    prob = np.random.default_rng(0).random((40, 50)).astype(np.float16)
    if edges:  # the float16 values on either side of both ends, 0 and 1
        near = [np.float16(end) for end in UNSURE]
        prob[0, :8] = [0, 1, *near, *(np.nextafter(one, np.float16(1)) for one in near), 0.5, 0.25]
    wanted = np.mean([UNSURE[0] < float(p) < UNSURE[1] for p in prob.reshape(-1)])
    assert unsure_share(count(prob, np.zeros(prob.shape, np.bool_))) == pytest.approx(wanted)
