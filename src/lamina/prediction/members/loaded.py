"""The members of one or more bundles, built when first needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

import torch

from lamina.bundle import Bundle, Training
from lamina.data.network_input.frame import Frame
from lamina.data.views.resampling.spacing import shape_at
from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.geometry.view import members as views_of
from lamina.prediction.engine import Member, can_stream
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.streaming.slabs import least_held
from lamina.prediction.streaming.units.columns import Seen, least_bytes
from lamina.prediction.streaming.units.held_bytes import held_bytes as band_bytes
from lamina.prediction.tiling.memory import (
    LARGEST_BATCH,
    LARGEST_BATCH_ON_GPU,
    activations,
    available_memory,
    fit_batch,
    measured_peak,
    used_memory,
)
from lamina.prediction.tiling.precision import cast_weights
from lamina.recipe.recipe import Recipe
from lamina.volume import Volume

_SLAB = 160 * 2**20
"""Bytes of a slab of one stored answer in float32, 64 MiB of them read at a time, with masks."""


class LoadedMembers:
    """Networks on their device; ``batch`` tiles at a time."""

    def __init__(
        self, bundles: Sequence[Bundle], device: torch.device, precision: torch.dtype | None
    ) -> None:
        """Build nothing yet."""
        self.bundles, self.device, self.precision = bundles, device, precision
        self._built: dict[tuple[int, int], Member] = {}
        self.apart = False
        self._measured: dict[tuple[int, int], int] = {}

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return [self.name(*pair) for pair in self._pairs]

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        return [(b, m) for b, bundle in enumerate(self.bundles) for m in range(len(bundle.members))]

    def name(self, bundle: int, number: int) -> str:
        """Return what a prediction calls a member; the bundle's number is in it if several."""
        name = self.bundles[bundle].members[number].name
        return name if len(self.bundles) == 1 else f"{bundle}:{name}"

    def members_named(self, names: Sequence[str]) -> list[Member]:
        """Return the members with these names, in that order, as ``members``."""
        pairs = dict(zip(self.names, self._pairs, strict=True))
        return self.members(ChosenMembers(tuple(pairs[name] for name in names), "new"))

    def members(self, chosen: ChosenMembers) -> list[Member]:
        """Return the members that answer, with their weights.

        Members of a bundle count 1 each; in an ensemble the weight of a source is shared evenly
        by those of its members that answer, and all of them together count 1 each.

        Raises:
            BundleError: weights are missing, damaged or do not fit.
        """
        weights = self.weights(chosen)
        return [
            replace(self._member(*pair), weight=weight)
            for pair, weight in zip(chosen.members, weights, strict=True)
        ]

    def weights(self, chosen: ChosenMembers) -> list[float]:
        """Return the weight of each member that answers."""
        weight_of: dict[tuple[int, int], float] = {}
        for number, bundle in enumerate(self.bundles):
            answering = {member for at, member in chosen.members if at == number}
            shares = [
                (training.weight, answering.intersection(training.members))
                for training in bundle.trainings
            ]
            whole = sum(weight for weight, members in shares if members)
            for weight, members in shares:
                each = weight / whole * len(answering) / len(members) if members else 0.0
                weight_of |= {(number, member): each for member in members}
        return [weight_of[pair] for pair in chosen.members]

    def _member(self, number: int, member: int) -> Member:
        if (number, member) not in self._built:
            bundle = self.bundles[number]
            recipe = bundle.recipe_of(member)
            self._built[number, member] = Member(
                cast_weights(bundle.network(member), self.precision).to(self.device),
                bundle.members[member].normalise,
                frame=recipe.frame,
                tile=recipe.tile,
                calibration=bundle.members[member].calibration,
            )
        return self._built[number, member]

    def batch_size(
        self,
        volumes: Iterable[Volume],
        memory: int | None,
        wanted: int | None = None,
        *,
        processes: int = 1,
    ) -> int:
        """Return the tiles per forward pass: as many as are wanted, or as the memory allows.

        Args:
            volumes: All that will be predicted; the largest counts.
            memory: Bytes the process may hold on a CPU; None: half of what is free (on a GPU 80 %).
            wanted: Asked for by the user or the recipe; None: nobody asks.
            processes: Those that share what is free.

        Raises:
            ResourceError: not even one tile fits, or not as many as are wanted.
        """
        if wanted is not None and (memory is None or self.device.type == "cuda"):
            return wanted
        each = self._largest_activations()  # networks and libraries are loaded for it
        used = used_memory() + self._not_built()
        volumes = list(volumes)
        largest = max(self.held(volume) for volume in volumes)
        if self.device.type == "cuda":
            used, wanted, most = 0, None, LARGEST_BATCH_ON_GPU
            allowed = self._free_on_gpu()
        else:
            free, most = available_memory() // (2 * processes), LARGEST_BATCH
            allowed = used + largest + free if memory is None else memory
        if used + largest + (wanted or 1) * each > allowed:
            least = max(self.held(volume, cut=True) for volume in volumes)
            if least < largest:  # wide columns save more time than large batches
                largest, most = least, 1
        return fit_batch(each, used + largest, allowed, wanted=wanted, most=most)

    def slab_memory(self, memory: int | None, batch: int, *, processes: int = 1) -> int:
        """Return the bytes for slabs of volumes, or bands: a quarter of what is free, or the rest.

        With a GPU an eighth, as twice that is held while the next slab is read.

        Args:
            memory: Bytes that a process may hold on a CPU; None: as much as is free.
            batch: Tiles per forward pass.
            processes: Those that share what is free.
        """
        if self.device.type == "cuda":
            if self._sees_blocks:  # whose sums lie on the GPU
                return max(self._free_on_gpu() - batch * self._largest_activations(), 0)
            return available_memory() // (8 * processes)
        if memory is None:
            return available_memory() // (4 * processes)
        each = self._largest_activations()
        return max(memory - used_memory() - self._not_built() - batch * each, 0)

    @property
    def voices(self) -> int:
        """Answers that are held side by side where members or views answer one by one."""
        recipe = self.bundles[0].recipe
        return max(len(self.names), len(views_of(recipe.predict.views, recipe.frame.axes)))

    def held(self, volume: Volume, *, cut: bool = False) -> int:
        """Return the bytes that an image and its answer need, whatever the batch.

        Where members or views answer ``apart``, all of their answers, or slabs of them, are held.

        Args:
            volume: What is predicted.
            cut: Whether a volume that is seen in blocks is cut into the narrowest columns.
        """
        return self._held(volume, cut=cut) + self._held_apart(volume)

    def seen(self, volume: Volume) -> list[Seen]:
        """Return how each member sees a volume in blocks; none where it is an image or cut."""
        if len(volume.axes) != 3 or not self._sees_blocks:
            return []
        order = seen_order(volume.axes)
        return [
            Seen(stored(recipe.tile, order), shape_at(volume, recipe.frame.spacing))
            for recipe in self._recipes
        ]

    def _held_apart(self, volume: Volume) -> int:
        if not self.apart:
            return 0
        each = 5 * self.bundles[0].recipe.task.outputs * prod(volume.shape)  # float32 and a mask
        if self.streams(volume) or len(volume.axes) != 2:
            each = min(each, _SLAB)
        return self.voices * each

    def _held(self, volume: Volume, *, cut: bool) -> int:
        first = self.bundles[0]
        slices, outputs = first.recipe.frame.slices, first.recipe.task.outputs
        # The answer in float32, its stored copy in float16, and the image as it is stored.
        each = 6 * outputs + volume.channels * volume.dtype.itemsize
        # Where parts or areas decide, all probabilities are held with their masks.
        whole = 0 if first.decision.streams else 4 * outputs * prod(volume.shape)
        blocks = len(volume.axes) == 3 and self._sees_blocks
        if self.streams(volume) or blocks:
            order = seen_order(volume.axes)
            tiles = [stored(recipe.tile, order)[0] for recipe in self._recipes]
            shapes = [shape_at(volume, recipe.frame.spacing) for recipe in self._recipes]
            bands = band_bytes(volume, outputs, tiles, shapes)
            if cut and blocks:
                bands = least_bytes(volume, outputs, self.seen(volume)) or bands
            return max(bands, whole if blocks else 0)
        if len(volume.axes) == 2 or slices is None:
            return (prod(volume.shape) + self._resized) * each
        axes = "".join(axis for axis in slices.axes if axis in volume.axes)
        slabs = max((least_held(volume, axis, outputs) for axis in axes), default=0)
        return max(slabs + self._resized * each, whole)

    def streams(self, volume: Volume) -> bool:
        """Whether an image is so large that it is answered band by band."""
        return can_stream(volume.shape, self._frames, self.bundles[0].recipe.task.outputs)

    @property
    def _recipes(self) -> list[Recipe]:
        return [bundle.recipe_of(m) for bundle in self.bundles for m in range(len(bundle.members))]

    @property
    def _frames(self) -> list[Frame]:
        return [recipe.frame for recipe in self._recipes]

    @property
    def _sees_blocks(self) -> bool:
        return self.bundles[0].recipe.frame.axes == 3

    def _free_on_gpu(self) -> int:
        return int(torch.cuda.mem_get_info(self.device)[0] * 0.8)

    @property
    def _resized(self) -> int:
        """Pixels of the largest size that a member sees a whole image at; 0: none does."""
        return max(prod(frame.resize) if frame.resize else 0 for frame in self._frames)

    def _largest_activations(self) -> int:
        return max(self._activations(*pair) for pair in self._one_of_each())

    def _not_built(self) -> int:
        """Return the bytes of the networks that will be built; one of each training is there."""
        total = 0
        for number, bundle in enumerate(self.bundles):
            for training in bundle.trainings:
                built = [m for m in training.members if (number, m) in self._built]
                like = self._built[number, built[0]].network.state_dict().values()
                missing = len(training.members) - len(built)
                total += missing * sum(tensor.nbytes for tensor in like)
        return total

    def _one_of_each(self) -> list[tuple[int, int]]:
        """Return members whose networks or tiles differ."""
        return [
            (number, member)
            for number, bundle in enumerate(self.bundles)
            for training in bundle.trainings
            for member in _one_of_each_tile(bundle, training)
        ]

    def _activations(self, number: int, member: int) -> int:
        if (number, member) not in self._measured:
            recipe = self.bundles[number].recipe_of(member)
            sample = torch.zeros((1, recipe.frame.inputs, *recipe.tile), device=self.device)
            network = self._member(number, member).network
            measure = measured_peak if self.device.type == "cuda" else activations
            self._measured[number, member] = measure(network, sample, self.precision)
        return self._measured[number, member]


def _one_of_each_tile(bundle: Bundle, training: Training) -> list[int]:
    """Return members of a training whose tiles differ in size; their networks are alike."""
    tiles = {bundle.recipe_of(number).tile: number for number in reversed(training.members)}
    return sorted(tiles.values())
