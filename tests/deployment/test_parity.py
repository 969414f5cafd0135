"""The comparison of an exported folder with lamina."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import lamina
from lamina.deployment.parity import TOLERANCE, compare
from lamina.errors import BundleError
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers

Exported = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize("rounding", ["none", "uint8"])
def test_answers_are_compared_before_rounding(exported: Exported, rounding: str) -> None:
    folder, edge = exported(predict={"rounding": rounding})
    bundle = lamina.Bundle.load(folder)
    chosen = ChosenMembers(((0, 0), (0, 1)), "new")
    members = LoadedMembers([bundle], torch.device("cpu"), None).members(chosen)
    image = np.random.default_rng(0).integers(0, 256, (1, 300, 260), np.uint8)
    found = compare(edge, image, members, bundle.recipe, bundle.decision, None)
    assert found.apart <= TOLERANCE / 10
    assert np.array_equal(found.masks, bundle.decision(found.answer))
    steps = found.answer * 2 * 255  # the mean of two members
    on_steps = np.abs(steps - np.rint(steps)).max() < 1e-2
    assert on_steps == (rounding == "uint8")

    about = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))
    about["members"][1]["normalise"]["shift"][0] += 0.5
    (edge / "pipeline.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(BundleError, match="the export answers differently") as why:
        compare(edge, image, members, bundle.recipe, bundle.decision, None)
    assert why.value.exit_code == 4
