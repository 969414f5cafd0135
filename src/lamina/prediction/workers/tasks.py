"""What passes between the main process and workers: tasks and outcomes; arrays never do.

A worker opens bundles, sources and stores by path, once. It writes whole chunks, images and masks;
the main process alone writes ``prediction.json``, ledgers and the metadata of stores, and removes.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lamina.errors import LaminaError

AT_ONCE = 2
"""Tasks of a worker of a pool: the one it does, and the next."""


@dataclass(frozen=True)
class Setup:
    """All that a worker needs to begin: where things lie, and with which options it predicts."""

    plan: str
    """Digest of what decides every byte; ``prediction.json`` must have it."""
    sources: tuple[str, ...]
    """Absolute paths of run folders and bundles."""
    out: str
    """Absolute path of the folder of predictions."""
    folder: str
    """Working folder, from which the sources of cases are named."""
    changes: tuple[str, ...]
    threshold: float | Mapping[str, float] | None
    device: str
    precision: str
    batch: int
    memory: int | None
    """Bytes for slabs of volumes."""
    kinds: tuple[str, ...]
    """Kinds of files that are made of finished cases."""
    threads: int = 1


@dataclass(frozen=True)
class Task:
    """Cases, or units of one case, that a worker does one after another."""

    plan: str
    part: Literal["cases", "units", "finish"]
    """Whole cases; units of one case; or the mask of one case whose units are done."""
    case: int
    """Number of the first case in ``prediction.json``."""
    phase: int = 0
    first: int = 0
    """Number of the first unit in its phase."""
    count: int = 1
    """Cases or units in a row."""
    thick: tuple[int, ...] = ()
    """How thick the units of the case are along each axis."""

    def single(self) -> list[Task]:
        """Return a task for each of its cases or units."""
        if self.part == "cases":
            return [replace(self, case=self.case + n, count=1) for n in range(self.count)]
        return [replace(self, first=self.first + n, count=1) for n in range(self.count)]

    @property
    def cases(self) -> range:
        """Numbers of its cases."""
        return range(self.case, self.case + (self.count if self.part == "cases" else 1))


@dataclass(frozen=True)
class Failure:
    """An error of a worker; it is raised in the main process."""

    error: Exception
    cause: OSError | None = None
    """The refusal of the system behind it."""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Take an error as it was caught."""
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else None
        return cls(error, cause)

    def portable(self) -> Failure:
        """Return what can pass to another process, with the traceback as a note.

        An error of a library, which may not pass, becomes a RuntimeError that names it.
        """
        error = self.error
        if not isinstance(error, LaminaError) and type(error).__module__ != "builtins":
            error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note("".join(traceback.format_exception(self.error)))
        return Failure(error, self.cause)

    def raised(self) -> None:
        """Raise the error.

        Raises:
            Exception: what the worker raised.
        """
        raise self.error from self.cause


@dataclass(frozen=True)
class Outcome:
    """What a worker did of a task, and what went wrong."""

    rows: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Rows for the ledger, by the number of the case."""
    digests: tuple[str, ...] = ()
    """Of the units that are done, in order."""
    failures: Mapping[int, Failure] = field(default_factory=dict)
    """By the number of the case."""
    steps: int = 0
    """Steps of the progress bar that it has not shown itself."""
    seconds: float = 0.0
    worker: str = ""
    """Host and process."""

    @classmethod
    def failed(cls, task: Task, error: Exception) -> Outcome:
        """Return the outcome of a task that fails as a whole."""
        return cls(failures={number: Failure(error) for number in task.cases})

    @classmethod
    def joined(cls, outcomes: Sequence[Outcome], failures: Mapping[int, Failure]) -> Outcome:
        """Return what became of cases that were written apart, and of those not answered."""
        rows = {number: rows for each in outcomes for number, rows in each.rows.items()}
        bad = {number: why for each in outcomes for number, why in each.failures.items()}
        nothing = {number: list[dict[str, Any]]() for number in failures}
        return cls(nothing | rows, failures={**failures, **bad})

    def portable(self) -> Outcome:
        """Return what can pass to another process."""
        failures = {number: failure.portable() for number, failure in self.failures.items()}
        return replace(self, failures=failures)
