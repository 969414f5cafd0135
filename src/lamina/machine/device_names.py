"""The devices that a command names: ``0,1``, ``all``, ``cpu:4``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamina.errors import RecipeError
from lamina.machine.cores import allowed_cores
from lamina.machine.environment import only_gpu

WRONG = (
    "write GPUs by number, such as 0,1, all for every GPU, or processes on the CPU, such as cpu:4"
)
_GPU = re.compile(r"(?:cuda:)?(\d+)")
_CPUS = re.compile(r"cpu(?::(\d+))?")


@dataclass(frozen=True)
class DeviceName:
    """One device, or one of several processes on the CPU."""

    kind: str
    """cuda or cpu."""
    number: int
    """Which GPU, as torch counts them; which of the processes on the CPU."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"

    @property
    def inside(self) -> str:
        """What torch calls it in a process that has only this one."""
        return "cuda:0" if self.kind == "cuda" else "cpu"

    @property
    def here(self) -> str:
        """What torch calls it in this process."""
        return str(self) if self.kind == "cuda" else "cpu"

    def variables(self, processes: int) -> dict[str, str]:
        """Return the environment of a process that has only this device.

        Args:
            processes: How many share the cores of this machine.
        """
        threads = str(max(1, allowed_cores() // max(processes, 1)))
        chosen = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": threads}
        if self.kind != "cuda":
            return chosen
        return {**chosen, **only_gpu(self.number)}


def devices_of(wish: str | Iterable[str]) -> list[DeviceName]:
    """Return the devices that a text or several names mean, in order.

    Args:
        wish: Such as ``"0,1"``, ``"all"``, ``"cpu:4"``, or ``("cuda:0", "cuda:1")``.

    Raises:
        RecipeError: a word means no device, one is named twice, or kinds are mixed.

    Example:
        >>> [str(device) for device in devices_of("0,2")]
        ['cuda:0', 'cuda:2']
    """
    text = wish if isinstance(wish, str) else ",".join(wish)
    if text == "all":
        return [DeviceName("cuda", number) for number in range(_gpus())]
    words = [word.strip() for word in text.split(",")]
    if len(words) == 1 and (cpus := _CPUS.fullmatch(words[0])):
        return [DeviceName("cpu", number) for number in range(_at_least_one(cpus[1], text))]
    found = [_GPU.fullmatch(word) for word in words]
    if not all(found):
        raise RecipeError(f"--devices is '{text}'; {WRONG}")
    numbers = [int(one[1]) for one in found if one]
    if len(set(numbers)) < len(numbers):
        raise RecipeError(f"--devices is '{text}', which names a device twice; name each once")
    return [DeviceName("cuda", number) for number in numbers]


def refuse_missing(devices: Sequence[DeviceName]) -> None:
    """Refuse GPUs that torch does not see.

    Raises:
        RecipeError: one of them is not there.
    """
    numbers = [device.number for device in devices if device.kind == "cuda"]
    if not devices or (numbers and max(numbers) >= _gpus()):
        named = ", ".join(map(str, devices)) or "all"
        raise RecipeError(
            f"--devices names {named}, and torch sees {_gpus()} CUDA devices here; name those that "
            "are there, or leave --devices out"
        )


def _at_least_one(text: str | None, whole: str) -> int:
    number = int(text or 1)
    if number < 1:
        raise RecipeError(f"--devices is '{whole}'; {WRONG}")
    return number


def _gpus() -> int:
    import torch  # the command line checks words without it

    return torch.cuda.device_count()
