"""Whether torch and torchvision belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import torch

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding


@dataclass(frozen=True)
class Versions:
    """Most releases of torchvision are built for one torch, and fail beside any other."""

    name: str = "versions"
    area: Area = "machine"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Ask torchvision which torch it is for, then call an operator that needs both."""
        try:
            pair = version("torch"), version("torchvision")
            wanted = pinned(requires("torchvision") or ())
        except PackageNotFoundError as error:
            yield Finding("error", str(error), "is not installed", "pip install torch torchvision")
            return
        said, problem = f"torch {pair[0]}, torchvision {pair[1]}", _broken()
        if wanted is not None and wanted != pair[0].partition("+")[0]:
            problem = f"this torchvision is built for torch {wanted}"
        if problem:
            remedy = "install both again, from one index: pip install -U torch torchvision"
            yield Finding("error", said, problem, remedy)
        else:
            yield Finding("fine", said, "match each other")


def pinned(requirements: Sequence[str]) -> str | None:
    """Return the one version of torch that a package asks for; None: it takes several.

    Example:
        >>> pinned(["numpy", "torch==2.10.0"]), pinned(["torch (>=2.14.0)"])
        ('2.10.0', None)
    """
    for line in requirements:
        found = re.match(r"torch\s*\(?==\s*([0-9.]+)", line)
        if found:
            return found[1].rstrip(".")
    return None


def _broken() -> str | None:
    """Return why an operator fails; None: it does not."""
    try:
        from torchvision.ops import nms

        nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except (ImportError, RuntimeError, OSError) as error:
        return f"an operator of torchvision fails ({str(error).splitlines()[0]})"
    return None
