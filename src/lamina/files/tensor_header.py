"""The header of a safetensors file, looked at before anything is made of it.

The format allows headers that take minutes and much memory to read: a list of very many tensors,
each of no bytes. What is read here is bounded.
"""

from __future__ import annotations

import json
from pathlib import Path

from lamina.errors import BundleError

LARGEST_HEADER = 10 * 2**20
"""Bytes; a header above it is refused, since reading it alone can take minutes."""

MOST_TENSORS = 20_000
"""A file that lists more tensors is refused; networks have hundreds, the largest some thousands."""


def check_header(path: Path) -> None:
    """Refuse a file by its header.

    Raises:
        BundleError: it is cut off, too long, not JSON, or lists too many tensors.
    """
    with path.open("rb") as stream:
        first = stream.read(8)
        length = int.from_bytes(first, "little")
        size = path.stat().st_size
        _check_length(str(path), length, size, whole=len(first) == 8)
        _check_entries(str(path), stream.read(length))


def check_bytes(data: bytes, place: str) -> None:
    """Refuse the content of a file by its header, as ``check_header``; ``place`` names it."""
    length = int.from_bytes(data[:8], "little")
    _check_length(place, length, len(data), whole=len(data) >= 8)
    _check_entries(place, data[8 : 8 + length])


def _check_length(place: str, length: int, size: int, *, whole: bool) -> None:
    if not whole or length > size - 8:
        raise BundleError(
            f"{place}: not a whole safetensors file, its end is missing; copy it again"
        )
    if length > LARGEST_HEADER:
        raise BundleError(
            f"{place}: has a header of {length} bytes; at most {LARGEST_HEADER} are read"
        )


def _check_entries(place: str, text: bytes) -> None:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{place}: not a whole safetensors file, its header is not JSON; copy it again"
        ) from error
    if not isinstance(header, dict):
        raise BundleError(f"{place}: not a safetensors file, its header is no JSON object")
    if len(header) > MOST_TENSORS:
        raise BundleError(f"{place}: lists {len(header)} tensors; at most {MOST_TENSORS} are read")
