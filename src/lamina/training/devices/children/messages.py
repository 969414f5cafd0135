"""What a training's main process and the processes of its devices say to each other.

Values travel through pipes to a process that this one has started, as those of loaders do; nothing
of it is written to a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamina.progress import Level
from lamina.training.devices.ranks import RankSetup
from lamina.training.saving.state import Saving
from lamina.training.stage.context import FoldData


@dataclass(frozen=True)
class Setup:
    """What a process needs to know before its first fold."""

    device: str
    """As torch calls it in that process."""
    name: str
    """What messages call the device."""
    processes: int
    """How many such processes share this machine."""
    workers: int | None
    """Loader processes; None: as suits the machine."""
    saving: Saving
    online: bool
    level: Level
    """How much is said."""
    rank: RankSetup | None = None
    """Its place among processes that share every step; None: it trains folds alone."""


@dataclass(frozen=True)
class Work:
    """One fold to train."""

    fold: int
    data: FoldData
    used: float
    """Seconds that the run has used so far."""
    minutes: float | None
    """The limit of the run; None: there is none."""


@dataclass(frozen=True)
class Begun:
    """A process began with a fold, in numbers of this type."""

    precision: str


@dataclass(frozen=True)
class Row:
    """Numbers for the trackers."""

    numbers: dict[str, float]
    step: int
