"""Members are built once, named apart, and share out the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lamina.errors import ResourceError
from lamina.predict.crew import Crew
from lamina.predict.policy import Chosen
from lamina.volume import ArrayVolume

CPU = torch.device("cpu")


def test_a_member_is_built_once_with_its_own_normalisation(make: Any) -> None:
    crew = Crew([make.bundle()], CPU, None)
    both = crew.members(Chosen(((0, 0), (0, 1)), "new"))
    assert crew.members(Chosen(((0, 1),), "new"))[0] is both[1]
    assert both[0].normalise != both[1].normalise
    assert crew.names == ["fold0", "fold1"]


def test_members_of_several_bundles_are_told_apart(make: Any) -> None:
    bundle = make.bundle()
    assert Crew([bundle, bundle], CPU, None).names == ["0:fold0", "0:fold1", "1:fold0", "1:fold1"]


def test_a_smaller_limit_makes_smaller_batches_until_none_fits(make: Any) -> None:
    crew = Crew([make.bundle()], CPU, None)
    image = ArrayVolume(np.zeros((1, 64, 64), np.uint8))
    assert crew.fit([image], None) == 8
    with pytest.raises(ResourceError, match="pass --memory"):
        crew.fit([image], 2**20)
