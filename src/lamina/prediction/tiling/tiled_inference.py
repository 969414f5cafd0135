"""Who answers an image, and how: the one plan of validation, out-of-fold and final prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.views.resized import Resized
from lamina.errors import ResourceError
from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.tiling.averaging import POWERS, Kind
from lamina.prediction.tiling.blend import Sum, Weights
from lamina.prediction.tiling.memory import is_out_of_memory, release
from lamina.progress import say
from lamina.recipe.recipe import Predict
from lamina.volume import ArrayVolume, Volume, read_all

_LATTICES = 8


@dataclass(frozen=True)
class Member:
    """A trained network with the normalisation it was trained with."""

    network: nn.Module
    normalise: AnyNormalise
    weight: float = 1.0
    """Share in the mean over members, relative to the others; above 0."""

    frame: Frame | None = None
    """How it looks at a region, with the inputs of the others; None: as the job says."""

    tile: tuple[int, int] | None = None
    """Rows and columns of its tiles; None: as the job says."""


@dataclass
class Job:
    """Who answers, and how; ``batch`` shrinks where memory runs out."""

    members: tuple[Member, ...]
    frame: Frame
    kind: Kind
    options: Predict
    tile: tuple[int, int]
    device: torch.device
    precision: torch.dtype | None
    batch: int
    logits: bool = False
    """Whether the mean over members, one of logits, is returned as it is; else activated."""

    weights: dict[TileGrid, Weights] = field(default_factory=dict, repr=False)
    """Windows of the lattices in use: slices of a volume have them in common."""

    def grid(self, member: Member, volume: Volume) -> TileGrid:
        """Return the lattice of a member's tiles over an image."""
        tile = member.tile or self.tile
        steps = tuple(max(1, round(n * (1 - self.options.overlap))) for n in tile)
        centred = (member.frame or self.frame).pad == "around"
        beyond = self.options.border_tiles == "beyond"
        return TileGrid(tuple(volume.shape), tile, steps, centred, beyond)

    def frame_of(self, member: Member) -> Frame:
        """Return how a member looks at a tile; beyond the border a lattice that goes on sees 0."""
        frame = member.frame or self.frame
        if self.options.border_tiles == "beyond" and frame.border != "zero":
            return frame.model_copy(update={"border": "zero"})
        return frame

    def resize(self, member: Member, volume: Volume) -> tuple[int, int] | None:
        """Return the size that a member sees an image at; None: as it is stored."""
        shape = (member.frame or self.frame).resize
        return None if shape == tuple(volume.shape) else shape

    def seen(self, member: Member, volume: Volume) -> Volume:
        """Return an image as a member sees it; resized, it is held in memory as a whole."""
        shape = self.resize(member, volume)
        if shape is None:
            return volume
        return ArrayVolume(read_all(Resized(volume, shape, smooth=True)), volume.axes, volume.name)

    def apart(self, volume: Volume) -> bool:
        """Whether each member needs an array of its own before it joins the others."""
        if any(self.resize(member, volume) for member in self.members):
            return True
        if self.options.rounding != "none":
            return True
        if len(self.members) == 1:
            return False
        mean = self.options.mean_of
        late = mean.tiles == "logit" and mean.members != "logit"
        tiles = {member.tile or self.tile for member in self.members}
        return late or len(tiles) > 1 or POWERS.get(mean.members, 1) > 1

    @property
    def shares(self) -> list[float]:
        """Share of each member in their mean; they sum to 1."""
        whole = sum(member.weight for member in self.members)
        return [member.weight / whole for member in self.members]

    def sum(
        self,
        grid: TileGrid,
        outputs: int,
        out: NDArray[np.float32] | None = None,
        rows: range | None = None,
    ) -> Sum:
        """Return an empty sum over a lattice, or over some rows of it."""
        window, device = self.options.window, self.device
        if grid not in self.weights:
            if len(self.weights) == _LATTICES:
                self.weights.clear()
            self.weights[grid] = Weights(grid, window, device)
        weights = self.weights[grid]
        return Sum(grid, window, outputs, device=device, out=out, weights=weights, rows=rows)

    def shrink(self, name: str, error: Exception) -> None:
        """Halve the batch where memory ran out (M05); other errors are raised as they are.

        Raises:
            ResourceError: a single tile does not fit.
        """
        if not is_out_of_memory(error):
            raise error
        if self.batch == 1:
            raise ResourceError(
                f"{name}: one tile of {self.tile[0]} x {self.tile[1]} pixels does not fit the "
                f"memory of {self.device}; set a smaller predict.tile\n  {error}"
            ) from error
        self.batch //= 2
        release()
        say(f"{name}: out of memory, going on with {self.batch} tiles per forward pass")
