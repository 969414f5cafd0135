"""Memory that is free, for the process and for what its workers share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding
from lamina.prediction.tiling.memory import available_memory


@dataclass(frozen=True)
class Memory:
    """A small training fits in 2 GiB; loader workers hand batches over by shared memory."""

    least: int = 2 << 30
    """Bytes."""
    shared: Path = Path("/dev/shm")
    least_shared: int = 256 << 20
    """Bytes; containers often have 64 MiB (M08)."""
    name: str = "memory"
    area: Area = "machine"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Compare what is free with the least."""
        free = available_memory()
        said = f"{free / 2**30:.1f} GiB free for this process"
        if free < self.least:
            remedy = "close other programs, or lower frame.size and the batch"
            yield Finding("warning", "memory", said, remedy)
        else:
            yield Finding("fine", "memory", said)
        if not self.shared.is_dir():
            return
        total = shutil.disk_usage(self.shared).total
        if total < self.least_shared:
            yield Finding(
                "warning",
                str(self.shared),
                f"is {total / 2**20:.0f} MiB, which loader workers may fill",
                "start the container with --shm-size=1g, or train with --workers 0",
            )
