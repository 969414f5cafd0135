"""Networks of bundles, run by torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.bundle import kind_learnt, load_bundles
from lamina.data.case import Case
from lamina.data.prepare.spacing import check_spacing
from lamina.errors import DataError
from lamina.inference.array_input import Expected
from lamina.inference.networks import Networks, in_stored_units
from lamina.prediction.cases.inputs import open_input
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, name_of
from lamina.result.decisions import AnyDecision
from lamina.volume import ArrayVolume, Volume


class TrainedNetworks(Networks):
    """Members of one bundle or several that answer together."""

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        device: str,
        precision: str,
        threads: int | None,
    ) -> None:
        """Open the bundles; ``build`` builds the networks and compares their weights with digests.

        Raises:
            BundleError: one is missing or damaged, or its training has not begun.
            RecipeError: there is no such device.
        """
        keep_memory()
        self._bundles = load_bundles(sources, unfinished=True, verify=False)
        where = choose_device(device)
        wanted = self._bundles[0].recipe.precision if precision == "auto" else precision
        self.loaded = LoadedMembers(self._bundles, where, choose(wanted, where))
        self.recipe = self._bundles[0].recipe.model_copy(update={"precision": wanted})
        self.task = self.recipe.task
        frame = self.recipe.frame
        self.learnt = kind_learnt(self._bundles)
        self.expected = Expected(
            frame.channels,
            volumes=frame.slices is not None or frame.axes == 3,
            images=frame.axes == 2,
            order=(self.learnt and self.learnt.axes) or "zyx",
        )
        self.members = tuple(self.loaded.names)
        self.device, self.precision = str(where), name_of(self.loaded.precision)
        self.digest = tuple(bundle.digest() for bundle in self._bundles)
        self._threads = threads
        self.networks: list[Member] = []

    @property
    def decision(self) -> AnyDecision:
        """The decision of the first bundle."""
        return self._bundles[0].decision

    def build(self, members: Sequence[str]) -> None:
        """Build the networks of these members, which predict from now on.

        Raises:
            BundleError: weights are missing, damaged or do not fit.
            ResourceError: not even one tile fits the memory.
        """
        pairs = [
            (b, m)
            for b, bundle in enumerate(self._bundles)
            for m in range(len(bundle.members))
            if self.loaded.name(b, m) in members
        ]
        self.members = tuple(members)
        self.networks = self.loaded.members(ChosenMembers(tuple(pairs), "new"))
        sides = self.recipe.tile
        axes = "zyx"[-len(sides) :]
        tile = ArrayVolume(np.zeros((self.expected.channels, *sides), np.uint8), axes, "tile")
        self.batch = self.loaded.batch_size([tile], None, self.recipe.predict.batch)

    def of_file(self, path: Path) -> Case:
        """Open a file as the recipe's catalog does."""
        name = self.recipe.data.id_of(path)
        image = open_input(path, self.recipe)
        return Case(name, name, image, valid=self.recipe.data.open_valid(path))

    def of_array(self, image: ArrayVolume, id: str) -> Case:
        """Return an array as the recipe's catalog would open it."""
        if self.recipe.frame.depth is not None:
            raise DataError(f"{id}: fragments are aligned in depth from their files; pass a path")
        return Case(id, id, self.recipe.data.adapt(image))

    def held(self, image: Volume) -> int:
        """Return the bytes that an image and its answer need, whatever the batch."""
        return self.loaded.held(image)

    def predict(self, case: Case) -> NDArray[np.float32]:
        """Return the mean answer of the members.

        Raises:
            DataError: as for others; or a volume does not say how far its voxels are apart, and the
                networks see them at one spacing.
        """
        if len(case.image.axes) == 3:
            check_spacing(case.image, self.recipe.frame)
        with _threads(self._threads):
            answer = predict_case(
                case,
                self.networks,
                self.recipe,
                device=self.loaded.device,
                precision=self.loaded.precision,
                batch=self.batch,
            )
        if self.task.kind != "restore":
            return answer
        return in_stored_units(answer, *self.recipe.data.stored(case.image, self.task))


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Let torch use so many threads, and as many as before afterwards; None: as it is set."""
    if number is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
