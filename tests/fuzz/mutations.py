"""Seeded damage to the bytes of a file: flips, cuts, splices and numbers at their limits."""

from __future__ import annotations

import re

import numpy as np

_NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
"""Values at which programs go wrong, written over 1, 2, 4 or 8 bytes."""
_WORDS = (
    *("0", "-1", "1", "99999999999999999999", "1e400", "NaN", "Infinity", "0.5", "null", "true"),
    *('""', "[]", "{}", '"\\u0000"', "\N{BLACK STAR}", "[[[[", "..", "/", "'", '"', ",", ":", "\n"),
)
"""What takes the place of a number or a word of a text."""
_HEADER = 400
"""Bytes; half of all damage falls into the first bytes, where most formats keep their header."""


def mutated(data: bytes, donor: bytes, draw: np.random.Generator) -> tuple[str, bytes]:
    """Return the name of the damage and the damaged bytes.

    Args:
        data: The whole file.
        donor: Another valid file, from which splices are taken.
        draw: Chooses kind and place.
    """
    kinds = [_flip, _number, _cut, _hole, _splice, _repeat, _fill]
    if _is_text(data):
        kinds += [_word] * 7
    damage = kinds[draw.integers(len(kinds))]
    return damage.__name__.strip("_"), bytes(damage(bytearray(data), donor, draw))


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _place(length: int, draw: np.random.Generator) -> int:
    """Return an index of a byte; half of them lie in the header."""
    if length == 0:
        return 0
    return int(draw.integers(min(length, _HEADER) if draw.random() < 0.5 else length))


def _length(data: bytes | bytearray, draw: np.random.Generator) -> int:
    """Return the length of a piece: short ones as likely as long ones."""
    return int(2 ** draw.uniform(0, np.log2(max(len(data), 2))))


def _flip(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    for _ in range(int(draw.integers(1, 9)) if data else 0):
        data[_place(len(data), draw)] ^= 1 << int(draw.integers(8))
    return data


def _number(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    size = int(2 ** draw.integers(4))
    value = _NUMBERS[draw.integers(len(_NUMBERS))] % 2 ** (8 * size)
    at = _place(len(data), draw)
    written = value.to_bytes(size, "little" if draw.random() < 0.5 else "big")
    data[at : at + size] = written[: len(data) - at]
    return data


def _cut(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    return data[: _place(len(data), draw)]


def _hole(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    at = _place(len(data), draw)
    return data[:at] + data[at + _length(data, draw) :]


def _splice(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    at, start = _place(len(data), draw), _place(len(donor), draw)
    piece = donor[start : start + _length(donor, draw)]
    if draw.random() < 0.5:
        return data[:at] + piece + data[at:]
    return data[:at] + piece + data[at + len(piece) :]


def _repeat(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    at = _place(len(data), draw)
    return data[:at] + data[at : at + _length(data, draw)] + data[at:]


def _fill(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    at = _place(len(data), draw)
    end = min(len(data), at + _length(data, draw))
    data[at:end] = bytes([int(draw.choice([0, 32, 255]))]) * (end - at)
    return data


def _word(data: bytearray, donor: bytes, draw: np.random.Generator) -> bytearray:
    del donor
    words = list(re.finditer(rb"[\w.+-]+", data))
    if not words:
        return data
    word = words[draw.integers(len(words))]
    other = words[draw.integers(len(words))].group()
    choices = [*(text.encode() for text in _WORDS), other]
    data[word.start() : word.end()] = choices[draw.integers(len(choices))]
    return data
