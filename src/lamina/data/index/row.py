"""One line of an index: what was found in one file.

A line ends in a checksum of the rest, so that damage costs the line and is never believed.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from lamina.data.readers.images.header import ImageHeader, KnownImage, Moments

Role = Literal["image", "target"]
"""As what a file is opened: the palette of a mask is class numbers."""

Key = tuple[str, Role]
"""Absolute path and role."""

_CRC = b', "crc32": '
_VALUE = re.compile(rb"\[(\d+), (\d+)\]")
_MOMENTS = re.compile(
    rb', "moments": \{"count": (\d+), "mean": \[([^\]]*)\], "squares": \[([^\]]*)\]\}'
)
_HEADERS = 4096  # different ones that are taken apart once


class Row(NamedTuple):
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


def row_of(line: bytes) -> Row | None:
    """Return the row of a line; None: it is cut off, damaged or of another version."""
    parts = line.split(b'"', 16)
    plain = len(parts) == 17 and parts[0] == b"{" and parts[1] == b"file" and parts[5] == b"role"
    plain = plain and parts[9] == b"size" and parts[11] == b"mtime_ns" and parts[13] == b"sha256"
    if not plain or b"\\" in parts[3]:  # a name with escapes, as few of 100,000 have
        return _parsed(line)
    end = line.rfind(_CRC)
    crc = line[end + len(_CRC) : -1]
    if end < 0 or line[-1:] != b"}" or not crc.isdigit():
        return None
    if zlib.crc32(b"}", zlib.crc32(line[:end])) != int(crc):
        return None
    rest = parts[16][: end - len(line)]  # header and what follows it
    try:
        size, mtime_ns, known = int(parts[10][2:-2]), int(parts[12][2:-2]), None
        if rest:
            cut = rest.index(b"}") + 1
            known = KnownImage(size, mtime_ns, _header(rest[:cut]), *_of_pixels(rest[cut:]))
        role: Role = "target" if parts[7] == b"target" else "image"
        return Row(parts[3].decode(), role, size, mtime_ns, parts[15].decode(), known)
    except (ValueError, KeyError, TypeError):  # of another version
        return None


def _parsed(line: bytes) -> Row | None:
    """Return the row of any line, such as one whose name is escaped."""
    body, cut, crc = line.rpartition(_CRC)
    if not cut or crc[-1:] != b"}" or crc[:-1] != str(zlib.crc32(body + b"}")).encode():
        return None
    try:
        values = json.loads(body + b"}")
        role: Role = "target" if values["role"] == "target" else "image"
        stamp, known = (values["size"], values["mtime_ns"]), None
        if "header" in values:
            header = ImageHeader.from_dict(values["header"])
            known = KnownImage(*stamp, header, *_of_json(values))
        return Row(values["file"], role, *stamp, values["sha256"], known)
    except (ValueError, KeyError, TypeError):
        return None


@lru_cache(_HEADERS)
def _header(text: bytes) -> ImageHeader:
    """Return the header of the middle of a line; images of one size share it."""
    return ImageHeader.from_dict(json.loads(b"{" + text[2:] + b"}")["header"])


Pixels = tuple[dict[int, int] | None, Moments | None]
"""Pixels of each value of a mask, and moments of an image; None: not measured."""


def _of_pixels(text: bytes) -> Pixels:
    """Return what follows the header of a line."""
    if text.startswith(b', "values": [['):
        return {int(value): int(count) for value, count in _VALUE.findall(text)}, None
    found = _MOMENTS.fullmatch(text)
    if found is not None:
        count, mean, squares = found.groups()
        each = (tuple(map(float, one.split(b", "))) for one in (mean, squares))
        return None, Moments(int(count), *each)
    return _of_json(json.loads(b"{" + text[2:] + b"}") if text else {})


def _of_json(values: Mapping[str, Any]) -> Pixels:
    counts, moments = values.get("values"), values.get("moments")
    return (
        None if counts is None else {int(value): int(count) for value, count in counts},
        None
        if moments is None
        else Moments(moments["count"], tuple(moments["mean"]), tuple(moments["squares"])),
    )


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
