"""Reading back what lamina wrote: JSON, logs, and the digests of files and folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lamina.errors import DataError


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a log, one a line; half lines are dropped."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def read_json(path: Path) -> Any:
    """Return the JSON value of ``path``.

    Raises:
        DataError: the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal; of a folder, that of all names and contents."""
    if path.is_dir():
        whole = hashlib.sha256()
        for one in sorted(path.rglob("*")):
            if one.is_file():
                whole.update(f"{one.relative_to(path).as_posix()}\0{digest(one)}\n".encode())
        return whole.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
