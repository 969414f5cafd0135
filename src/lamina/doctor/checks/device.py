"""Whether there is a GPU, and torch sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding


@dataclass(frozen=True)
class Device:
    """A driver without a torch that can use it is the commonest cause of a slow training."""

    driver: Path = Path("/proc/driver/nvidia/version")
    """A file that is there where NVIDIA's driver is."""
    name: str = "device"
    area: Area = "machine"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the devices torch sees."""
        if torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                yield _gpu(index)
        elif torch.backends.mps.is_available():
            yield Finding("fine", "mps", "is used by --device auto")
        elif self.driver.exists():
            yield Finding(
                "warning",
                "GPU",
                f"a driver is loaded, but torch {torch.__version__} sees no CUDA device",
                "install the torch build for your CUDA version, or check CUDA_VISIBLE_DEVICES",
            )
        else:
            yield Finding("fine", "GPU", "none; the processor is used")


def _gpu(index: int) -> Finding:
    facts = torch.cuda.get_device_properties(index)
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    said = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
    return Finding("fine", f"cuda:{index}", said + (", bfloat16" if bfloat16 else ""))
