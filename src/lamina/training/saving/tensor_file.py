"""Files of tensors: written straight from their memory, whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from lamina import files

_SYSTEM = re.compile(r"\(os error (\d+)\)")


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors as safetensors to ``path`` and return the SHA-256 of the file.

    Those on the CPU are not copied: the state of a training takes three to four times the memory of
    its network, which would else be taken once more by each save.

    Args:
        path: Replaced once all is written.
        tensors: Of any device and layout; they do not share memory.

    Raises:
        ResourceError: the disk is full; an earlier file at ``path`` is untouched.
        RecipeError: nothing can be written there.
    """
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def write(beside: Path) -> None:
        try:
            save_file(ready, beside)
        except SafetensorError as error:
            said = _SYSTEM.search(str(error))
            if said is None:
                raise
            number = int(said[1])
            raise OSError(number, os.strerror(number), str(path)) from error

    return files.write_with(path, write)
