"""The environment of processes that are started here: they read it as they load their libraries."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_starting = threading.Lock()


def only_gpu(number: int) -> dict[str, str]:
    """Return what lets a process see one GPU alone, which is its ``cuda:0``.

    Args:
        number: As torch counts them in this process, which itself may see only some.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    here = str(number) if visible is None else visible.split(",")[number].strip()
    return {"CUDA_VISIBLE_DEVICES": here}


@contextmanager
def started_with(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these variables in the environment while a process is started, one at a time."""
    with _starting:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
