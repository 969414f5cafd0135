"""What every catalog promises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lamina.data.case import Case
from lamina.spec import Spec
from lamina.task import Task
from lamina.volume import Volume


@dataclass(frozen=True)
class Listing:
    """What a catalog found: cases in a stable order, and the names of the task's outputs."""

    cases: tuple[Case, ...]
    names: tuple[str, ...]


class Catalog(Spec):
    """Where cases come from: a layout of files below a folder given on the command line."""

    def open(self, root: Path, task: Task) -> Listing:
        """List the cases below ``root``; headers only wherever the format allows it.

        Args:
            root: The data folder; never written to.
            task: What targets mean; ``task.names`` may be None, then they are found.

        Raises:
            DataError: a file is missing, double, broken or not what it claims; all problems of
                one kind are listed at once (at most ten), each with its file and remedy.
        """
        raise NotImplementedError

    def stored(self, image: Volume, task: Task) -> tuple[float, float]:
        """Return offset and span: a restored value v stands for v * span + offset in stored units.

        Args:
            image: As the catalog opened it, or a slice or crop of that.
            task: With its unit.
        """
        del image
        return 0.0, task.unit or 1.0
