"""Errors on their way from one process to another."""

from __future__ import annotations

from dataclasses import dataclass

from lamina import errors
from lamina.errors import LaminaError, StoppedError


class RankLost(LaminaError):
    """Another process of the same training ended; its own error says why."""


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
        if self.kind == RankLost.__name__:
            return RankLost(self.message)
        kind = getattr(errors, self.kind, LaminaError)
        found: LaminaError = kind(self.message)
        found.exit_code = self.exit_code
        return found
