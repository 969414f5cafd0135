"""One line of an index: what was found in one file.

A line ends in a checksum of the rest, so that damage costs the line and is never believed.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lamina.data.readers.images.header import ImageHeader, KnownImage, Moments

Role = Literal["image", "target"]
"""As what a file is opened: the palette of a mask is class numbers."""

Key = tuple[str, Role]
"""Absolute path and role."""

_CRC = b', "crc32": '
_KEY = re.compile(rb'\{"file": "([^"\\]*)", "role": "(\w+)"')
"""Begin of a line whose name needs no escape."""


@dataclass(frozen=True)
class Row:
    """What was found in a file; ``known`` is of PNG, JPEG, BMP and WebP files only."""

    file: str
    role: Role
    size: int
    mtime_ns: int
    sha256: str
    known: KnownImage | None = None

    def is_of(self, stat: os.stat_result) -> bool:
        """Whether the file has still the size and time that it had."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    def line(self) -> bytes:
        """Return the row as a line of JSON, without a line break."""
        values: dict[str, Any] = {
            "file": self.file,
            "role": self.role,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "sha256": self.sha256,
        }
        if self.known is not None:
            values |= _of_known(self.known)
        body = json.dumps(values).encode()
        return body[:-1] + _CRC + str(zlib.crc32(body)).encode() + b"}"


def key_of(line: bytes) -> Key | None:
    """Return whose line it is; None: it is cut off or damaged."""
    body, cut, crc = line.rpartition(_CRC)
    if not cut or crc[-1:] != b"}" or crc[:-1] != str(zlib.crc32(body + b"}")).encode():
        return None
    plain = _KEY.match(body)
    if plain is not None:  # as almost all lines; 100,000 of them are not parsed for it
        return plain[1].decode(), "target" if plain[2] == b"target" else "image"
    try:
        values = json.loads(body + b"}")
        return str(values["file"]), "target" if values["role"] == "target" else "image"
    except (ValueError, KeyError, TypeError):  # of another version
        return None


def row_of(line: bytes) -> Row | None:
    """Return the row of a line that has a key; None: it is of another version."""
    try:
        values = json.loads(line)
        return Row(
            values["file"],
            values["role"],
            values["size"],
            values["mtime_ns"],
            values["sha256"],
            _known(values) if "header" in values else None,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _of_known(known: KnownImage) -> dict[str, Any]:
    head = known.header
    sides = (head.rows, head.columns) if head.orientation < 5 else (head.columns, head.rows)
    values: dict[str, Any] = {
        "shape": sides,
        "dtype": "uint16" if head.depth == 16 else "uint8",
        "header": head.to_dict(),
    }
    if known.values is not None:
        values["values"] = list(known.values.items())
    if known.moments is not None:
        count, mean, squares = known.moments.count, known.moments.mean, known.moments.squares
        values["moments"] = {"count": count, "mean": mean, "squares": squares}
    return values


def _known(values: Mapping[str, Any]) -> KnownImage:
    counts, moments = values.get("values"), values.get("moments")
    return KnownImage(
        values["size"],
        values["mtime_ns"],
        ImageHeader.from_dict(values["header"]),
        None if counts is None else {int(value): int(count) for value, count in counts},
        None
        if moments is None
        else Moments(moments["count"], tuple(moments["mean"]), tuple(moments["squares"])),
    )
