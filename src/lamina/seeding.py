"""The only place where random generators are made.

A generator is named by what it is for, never by when it is asked for, so that neither the
number of workers nor an interruption changes a draw.
"""

from __future__ import annotations

import zlib

import numpy as np


def rng(seed: int, *what: int | str) -> np.random.Generator:
    """Return the generator that belongs to ``(seed, *what)``, such as (seed, stage, epoch, index).

    Args:
        seed: The recipe's seed; at least 0.
        what: What the generator is for. Words count by their CRC-32, numbers as they are.

    Returns:
        A fresh generator; equal arguments give equal streams on every machine.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in what]
    # As spawn key, since a plain list of numbers means the same with and without zeros at its end.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))
