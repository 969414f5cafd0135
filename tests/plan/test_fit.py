"""Sizes shrink until they fit; where nothing fits that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import ResourceError
from lamina.plan.fit import fitted
from lamina.plan.probe import DoesNotFitError, Probed
from lamina.plan.rules import Wanted, values_of
from tests.factories.facts import CPU, IMAGES, VOLUME

HERE = Path()


def taking(each: int) -> Any:
    """Return what measures a recipe on a machine that needs ``each`` bytes for a pixel."""

    def trial(values: Mapping[str, Any], root: Path, device: str) -> Probed:
        memory = values["stages"][0]["batch"] * math.prod(values["frame"]["size"]) * each
        return Probed(memory, 0.2, 5.0, 2.0, 40, 40, 8)

    return trial


def sizes(each: int, memory: int) -> tuple[int, list[int], tuple[str, ...]]:
    machine = replace(CPU, memory=memory)
    settings, fit = fitted(IMAGES, machine, Wanted(), HERE, taking(each))
    values = values_of(settings)
    return values["train"]["batch"], values["frame"]["size"], fit.tried


def test_what_fits_stays() -> None:
    assert sizes(1000, 8 * 256 * 256 * 1000 * 2) == (8, [256, 256], ())


def test_the_batch_shrinks_first_and_then_the_crops() -> None:
    batch, size, tried = sizes(1000, 8 * 256 * 256 * 1000)
    assert (batch, size) == (4, [256, 256])
    assert tried == ("batch 8 of 256 x 256 took 0.52 of 0.52 GB",)
    batch, size, tried = sizes(1000, 2 * 256 * 256 * 1000)
    assert (batch, size) == (2, [128, 128])
    assert len(tried) == 3


def test_blocks_shrink_along_their_longest_side_and_lose_levels() -> None:
    even = replace(VOLUME, shape=(64,) * 3, least=(64,) * 3, roughness=(1.0, 1.0, 1.0))
    machine = replace(CPU, memory=2 * 16**3 * 2000)
    found, fit = fitted(even, machine, Wanted(dims="3d"), HERE, taking(1000))
    values = values_of(found)
    assert values["frame"]["size"] == [16, 16, 16]
    assert values["network"]["blocks"] == [1, 1, 1]
    assert len(fit.tried) == 2
    sections, _ = fitted(
        VOLUME, replace(CPU, memory=2 * 8 * 80 * 80 * 1000), Wanted(dims="3d"), HERE, taking(1000)
    )
    assert values_of(sections)["frame"]["size"] == [16, 48, 48]


def test_where_nothing_fits_that_is_said() -> None:
    with pytest.raises(ResourceError, match=r"no size fits.*batch 2 of 64 x 64.*larger --memory"):
        sizes(1000, 1000)


def test_a_process_that_is_killed_is_a_size_that_does_not_fit() -> None:
    tries = []

    def killed(values: Mapping[str, Any], root: Path, device: str) -> Probed:
        tries.append(values["stages"][0]["batch"])
        if len(tries) == 1:
            raise DoesNotFitError("the process was killed")
        return Probed(1, 0.2, 5.0, 2.0, 40, 40, 8)

    settings, fit = fitted(IMAGES, CPU, Wanted(), HERE, killed)
    assert tries == [8, 4]
    assert values_of(settings)["train"]["batch"] == 4
    assert fit.tried == ("batch 8 of 256 x 256: the process was killed",)


def test_the_steps_that_were_measured_are_in_the_recipe() -> None:
    settings, fit = fitted(IMAGES, CPU, Wanted(minutes=10), HERE, taking(1))
    values = values_of(settings)
    assert values["train"]["epochs"] == fit.schedule.epochs
    assert values["train"]["sampler"]["count"] == fit.schedule.count
    (why,) = (one.why for one in settings if one.key == "train.epochs")
    assert why.startswith("0.20 s a step, 10 min: ")
