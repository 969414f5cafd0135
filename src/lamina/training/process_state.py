"""What training needs of the process and puts back: torch's settings, and the state of accelerate.

Dropout and new layers draw from torch's own generator, which a process has once for each device.
Training seeds it, at the start of each network and epoch, within a block that restores it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from lamina.errors import RecipeError

_PRECISIONS = {torch.bfloat16: "bf16", torch.float16: "fp16", None: "no"}


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's generators of the CPU and of a CUDA device after the block."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def deterministic_algorithms(enabled: bool) -> Iterator[None]:
    """Choose torch's deterministic algorithms, or not, for the block."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(enabled)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


@contextmanager
def own_accelerator(device: torch.device, precision: torch.dtype | None) -> Iterator[Accelerator]:
    """Yield an accelerator for a device and a type; what the process had before is put back.

    The state of accelerate is one for the process and keeps the precision of its first use, so
    that a second training of another would be refused. There is no public way to leave it: the
    dictionaries that all instances share are emptied and filled again.

    Raises:
        RecipeError: the process is one of several that a launcher started.
    """
    states = [kind._shared_state for kind in (AcceleratorState, PartialState, GradientState)]
    before = [dict(state) for state in states]
    for state in states:
        state.clear()
    try:
        accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=_PRECISIONS[precision])
        if accelerator.num_processes > 1:
            raise RecipeError(
                "lamina trains with one process; start it without a multi-process launcher, one "
                "run per device with --folds"
            )
        yield accelerator
    finally:
        for state, values in zip(states, before, strict=True):
            state.clear()
            state.update(values)
