"""What training needs of the process and puts back: torch's settings, and the state of accelerate.

Dropout and new layers draw from torch's own generator, which a process has once for each device.
Training seeds it, at the start of each network and epoch, within a block that restores it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from lamina.prediction.tiling.precision import float32_products

_PRECISIONS = {torch.bfloat16: "bf16", torch.float16: "fp16", None: "no"}

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"

_LAUNCHER = (
    "LOCAL_RANK", "RANK", "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"
)  # fmt: skip


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's generators of the CPU and of a CUDA device after the block."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def arithmetic(device: torch.device, precision: str, *, deterministic: bool) -> Iterator[None]:
    """Compute as a recipe asks for the block, which begins before CUDA's libraries are used.

    Args:
        device: Where networks run.
        precision: As the recipe says it.
        deterministic: Equal bytes every time; else a GPU may try which algorithm is fastest.
    """
    before = torch.backends.cudnn.benchmark
    with deterministic_algorithms(deterministic), float32_products(device, precision):
        torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic
        try:
            yield
        finally:
            torch.backends.cudnn.benchmark = before


@contextmanager
def deterministic_algorithms(enabled: bool) -> Iterator[None]:
    """Choose torch's deterministic algorithms, or not, for the block."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(enabled)
    workspace = os.environ.get(_WORKSPACE)
    if enabled and workspace is None:  # torch refuses matrix products on GPUs without it
        os.environ[_WORKSPACE] = ":4096:8"
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


@contextmanager
def own_accelerator(device: torch.device, precision: torch.dtype | None) -> Iterator[Accelerator]:
    """Yield an accelerator for a device and a type; what the process had before is put back.

    The state of accelerate is one for the process and keeps the precision of its first use, so
    that a second training of another would be refused. There is no public way to leave it: the
    dictionaries that all instances share are emptied and filled again.
    """
    states = [kind._shared_state for kind in (AcceleratorState, PartialState, GradientState)]
    before = [dict(state) for state in states]
    for state in states:
        state.clear()
    try:
        with _current(device):
            yield accelerator_on(device, precision)
    finally:
        for state, values in zip(states, before, strict=True):
            state.clear()
            state.update(values)


def accelerator_on(device: torch.device, precision: torch.dtype | None) -> Accelerator:
    """Return an accelerator for one process on exactly this device.

    By itself accelerate takes the first device of a kind, and options from the variables of its
    launcher; here the command line and the recipe decide.
    """
    with _without_launcher():
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
        return Accelerator(cpu=device.type == "cpu", mixed_precision=_PRECISIONS[precision])


@contextmanager
def _without_launcher() -> Iterator[None]:
    """Hide the variables by which launchers speak to accelerate."""
    names = [name for name in os.environ if name in _LAUNCHER or name.startswith("ACCELERATE_")]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.pop("ACCELERATE_TORCH_DEVICE", None)
        os.environ.update(hidden)


@contextmanager
def _current(device: torch.device) -> Iterator[None]:
    """Make a CUDA device the current one for the block."""
    if device.type != "cuda" or device.index is None:
        yield
        return
    with torch.cuda.device(device):
        yield
