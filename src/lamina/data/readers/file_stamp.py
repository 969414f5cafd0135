"""Whether a file is still the one it was, told without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def stamp_of(path: Path, files: Iterable[Path], *also: object) -> str:
    """Return a digest of path, sizes and times of ``files``, and of ``also``, as hexadecimal.

    Args:
        path: What the volume is called; made absolute.
        files: The files that hold it, in a stable order.
        also: What else decides the values, such as the name of a dataset.
    """
    whole = hashlib.sha256(f"{path.resolve()}\0{also!r}".encode())
    for file in files:
        stat = file.stat()
        name = file.relative_to(path).as_posix() if file != path else ""
        whole.update(f"\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return whole.hexdigest()
