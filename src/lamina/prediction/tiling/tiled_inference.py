"""Who answers an image, and how: the one plan of validation, out-of-fold and final prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.network_input.frame import Factors, Frame
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.views.resampling.resampled import Resampled
from lamina.data.views.resampling.spacing import shape_at
from lamina.data.views.resized import Resized
from lamina.errors import ResourceError
from lamina.geometry.region import Region
from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.geometry.tiling.grid import TileGrid, steps_of
from lamina.prediction.tiling.averaging import POWERS, Kind, is_calibrated
from lamina.prediction.tiling.blend import Sum, Weights
from lamina.prediction.tiling.memory import is_out_of_memory, release
from lamina.progress import say
from lamina.recipe.recipe import Predict
from lamina.result.calibration import Calibration
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

    tile: tuple[int, ...] | None = None
    """Sides of its tiles, in pixels; None: as the job says."""

    view: int | None = None
    """Answer by this view of ``predict.views`` alone, by its number; None: by their mean."""

    calibration: tuple[Calibration, ...] = ()
    """What its probabilities go through before the mean over members; none: nothing."""


@dataclass(frozen=True)
class MemberTiles:
    """The tiles of one member over one image."""

    member: Member

    share: float
    """Share of the member in the mean over members; all of them sum to 1."""

    frame: Frame
    """How it looks at a tile."""

    image: Volume
    """The image as it sees it, stored, resized or resampled."""

    grid: TileGrid
    """The lattice of its tiles over that."""

    factors: Factors
    """Its normalisation of that."""


@dataclass
class TiledInference:
    """Who answers, and how; ``batch`` shrinks where memory runs out."""

    members: tuple[Member, ...]
    frame: Frame
    kind: Kind
    options: Predict
    tile: tuple[int, ...]
    device: torch.device
    precision: torch.dtype | None
    batch: int
    logits: bool = False
    """Whether the mean over members, one of logits, is returned as it is; else activated."""

    products: str = "float32"
    """Precision of the recipe; ``tf32`` rounds products of float32 on GPUs, see
    ``same_arithmetic``."""

    overlapped: bool = False
    """Whether slabs are read and written while others are answered."""

    fixed: bool = False
    """Whether ``batch`` belongs to a plan that others follow too, so that it never shrinks."""

    weights: dict[TileGrid, Weights] = field(default_factory=dict, repr=False)
    """Windows of the lattices in use: slices of a volume have them in common."""

    def over(self, image: Volume) -> Iterator[MemberTiles]:
        """Yield the tiles of each member over an image, or over a volume that is seen in blocks.

        An image that a member sees resized is held in memory as a whole, one at a time.
        """
        for member in self.members:
            yield self.tiles(member, image)

    def tiles(self, member: Member, image: Volume) -> MemberTiles:
        """Return the tiles of one member over an image, or a volume that is seen in blocks."""
        whole = sum(member.weight for member in self.members)
        frame, seen = self._frame(member), image
        shape = self.seen_shape(member, image)
        if shape != tuple(image.shape):
            seen = _resized(image, shape)
        return MemberTiles(
            member,
            member.weight / whole,
            frame,
            seen,
            self.grid(member, shape, image.axes),
            frame.factors(seen, member.normalise),
        )

    def alike(self, tiles: MemberTiles, image: Volume) -> MemberTiles:
        """Return ``tiles`` over another image of the same shape, seen as it is stored."""
        factors = tiles.frame.factors(image, tiles.member.normalise)
        return MemberTiles(tiles.member, tiles.share, tiles.frame, image, tiles.grid, factors)

    def grid(self, member: Member, shape: tuple[int, ...], axes: str) -> TileGrid:
        """Return the lattice of a member's tiles over an image or a volume, as its axes are stored.

        Args:
            member: Whose tiles.
            shape: As the member sees it.
            axes: Names of the stored axes; tiles of blocks are said along z, y and x.
        """
        tile = self.tile_of(member, axes)
        overlaps = stored(self.options.overlaps(len(tile)), seen_order(axes))
        steps = steps_of(tile, overlaps)
        centred = (member.frame or self.frame).pad == "around"
        beyond = self.options.border_tiles == "beyond"
        return TileGrid(shape, tile, steps, centred, beyond)

    def tile_of(self, member: Member, axes: str) -> tuple[int, ...]:
        """Return the sides of a member's tiles, as the axes are stored."""
        return tuple(stored(member.tile or self.tile, seen_order(axes)))

    def seen_shape(self, member: Member, image: Volume) -> tuple[int, ...]:
        """Return the sides that a member sees an image or a volume at, as its axes are stored."""
        frame = member.frame or self.frame
        return frame.resize or shape_at(image, frame.spacing)

    def _frame(self, member: Member) -> Frame:
        """Return how a member looks at a tile; beyond the border a lattice that goes on sees 0."""
        frame = member.frame or self.frame
        if self.options.border_tiles == "beyond" and frame.border != "zero":
            return frame.model_copy(update={"border": "zero"})
        return frame

    def separate(self, image: Volume) -> bool:
        """Whether each member needs an array of its own before it joins the others."""
        if any(self.seen_shape(member, image) != tuple(image.shape) for member in self.members):
            return True
        if self.options.rounding != "none":
            return True
        if any(is_calibrated(member.calibration) for member in self.members):
            return True
        if len(self.members) == 1:
            return False
        if len(image.shape) == 3:  # as bands of blocks join them, to the byte
            return True
        mean = self.options.mean_of
        late = mean.tiles == "logit" and mean.members != "logit"
        tiles = {member.tile or self.tile for member in self.members}
        return late or len(tiles) > 1 or POWERS.get(mean.members, 1) > 1

    def sum(
        self,
        grid: TileGrid,
        outputs: int,
        out: NDArray[np.float32] | None = None,
        rows: range | None = None,
        across: Region | None = None,
    ) -> Sum:
        """Return an empty sum over a lattice, or over some rows of it and a part of these."""
        window, device = self.options.window, self.device
        weights = self.weights.get(grid)
        if weights is None:
            if len(self.weights) == _LATTICES:
                self.weights.clear()
            weights = self.weights[grid] = Weights(grid, window, device)
        return Sum(
            grid,
            window,
            outputs,
            device=device,
            out=out,
            weights=weights,
            rows=rows,
            across=across,
        )

    def shrink(self, name: str, error: Exception) -> None:
        """Halve the batch where memory ran out (M05); other errors are raised as they are.

        Raises:
            ResourceError: a single tile does not fit, or the batch is ``fixed``.
        """
        if not is_out_of_memory(error):
            raise error
        if self.batch == 1:
            raise ResourceError(
                f"{name}: one tile of {' x '.join(map(str, self.tile))} pixels does not fit the "
                f"memory of {self.device}; set a smaller predict.tile\n  {error}"
            ) from error
        if self.fixed:
            raise ResourceError(
                f"{name}: {self.batch} tiles per forward pass do not fit the memory of "
                f"{self.device}, and all images of a prediction have the same batch; run the same "
                "command again when more memory is free, or begin anew with --batch "
                f"{self.batch // 2} --overwrite\n  {error}"
            ) from error
        self.batch //= 2
        release()
        say(f"{name}: out of memory, going on with {self.batch} tiles per forward pass")


def _resized(image: Volume, shape: tuple[int, ...]) -> Volume:
    """Return an image at another shape, in memory, or a volume that is resampled as it is read."""
    if len(shape) == 3:
        return Resampled(image, (shape[0], shape[1], shape[2]), smooth=True)
    resized = read_all(Resized(image, (shape[0], shape[1]), smooth=True))
    return ArrayVolume(resized, image.axes, image.name)
