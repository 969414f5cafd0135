"""Reading back what lamina wrote: JSON, logs, and the digests of files and folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lamina.errors import DataError
from lamina.refusals import check_regular, reading


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a log, one a line; lines that are cut or damaged are dropped.

    Raises:
        DataError: the system does not let it be read.
    """
    if not path.exists():
        return []
    with reading(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def read_json(path: Path) -> Any:
    """Return the JSON value of ``path``.

    Raises:
        DataError: the file is missing, not readable, or not JSON.
    """
    check_regular(path)
    with reading(path, what="not readable as JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Return the JSON object of ``path``, which has all of ``keys``.

    Raises:
        DataError: as ``read_json``, or it is no object, or lacks one of them.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no JSON object; copy it again, or make it anew")
    missing = [key for key in keys if key not in value]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; copy it again, or make it anew")
    return value


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
