"""Epochs of the tiny recipe, also with an image that kills or stops whoever reads it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.training.dataset import open_data
from lamina.training.stage.loading.samples import Epoch, StageData
from lamina.volume import Volume
from tests.factories.training import tiny


def stage_data(folder: Path, *changes: str) -> StageData:
    """Return what the only stage of the tiny recipe draws from."""
    asked = ("transforms.flip.p=1", "train.sampler={kind: random_crop, focus: 0.5}")
    recipe = tiny(folder, *(changes or asked))
    opened = open_data(recipe, folder)
    cases = recipe.frame.cases(opened.training(0))
    normalise = recipe.frame.normalise.fit(cases)
    return StageData(opened.recipe, opened.task, cases, normalise, recipe.stages[0])


def an_epoch(folder: Path, number: int) -> Epoch:
    """Return the samples of one of its epochs."""
    return stage_data(folder).epoch(number)


@dataclass(frozen=True)
class Odd:
    """An image that, the first time or always, kills or stops the process that reads it."""

    image: Volume
    what: str
    mark: Path

    @property
    def name(self) -> str:
        return "odd.png"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "image"), name)

    def read(self, region: Region) -> NDArray[Any]:
        once = "once" in self.what and self.mark.exists()
        if not once:
            self.mark.touch()
            if "kill" in self.what:
                os.kill(os.getpid(), signal.SIGKILL)
            elif "wait" in self.what:
                time.sleep(600)
            elif "refuse" in self.what:
                raise DataError("odd.png: is cut off; copy it again")
            elif "mistake" in self.what:
                raise ZeroDivisionError("a mistake")
        return self.image.read(region)


def with_odd(folder: Path, what: str) -> tuple[Epoch, list[list[int]], int]:
    """Return an epoch, groups of two samples, and the number of the batch with the odd image."""
    epoch = an_epoch(folder, 0)
    case = epoch.draws[5].case
    cases = [
        replace(one, image=Odd(one.image, what, folder / "mark")) if n == case else one
        for n, one in enumerate(epoch.samples.cases)
    ]
    first = next(n for n, draw in enumerate(epoch.draws) if draw.case == case)
    samples = replace(epoch.samples, cases=cases)
    return replace(epoch, samples=samples), [[0, 1], [2, 3], [4, 5]], first // 2
