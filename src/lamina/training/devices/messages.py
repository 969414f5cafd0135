"""What a training's main process and the processes of its devices say to each other.

Values travel through pipes to a process that this one has started, as those of loaders do; nothing
of it is written to a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamina import errors
from lamina.errors import LaminaError, StoppedError
from lamina.progress import Level
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
    save_minutes: float
    online: bool
    level: Level
    """How much is said."""


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


@dataclass(frozen=True)
class Failed:
    """An error, in values that any process can read."""

    kind: str
    message: str
    exit_code: int

    @classmethod
    def of(cls, error: LaminaError) -> Failed:
        """Return what can be sent of an error."""
        return cls(type(error).__name__, str(error), error.exit_code)

    def error(self) -> LaminaError:
        """Return the error again."""
        if self.kind == StoppedError.__name__:
            return StoppedError(self.message, self.exit_code - 128)
        kind = getattr(errors, self.kind, LaminaError)
        found: LaminaError = kind(self.message)
        found.exit_code = self.exit_code
        return found
