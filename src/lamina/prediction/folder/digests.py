"""Digests of the files behind a case, and of the decision on it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lamina.data.index.volume_identity import SAMPLED, volume_identity
from lamina.files import digest
from lamina.result.decisions import AnyDecision


def source_digest(files: Sequence[str]) -> str:
    """Return the digest of a case's files: that of the one file, or of all digests in order."""
    return one_digest([digest(Path(name)) for name in files])


def is_source(name: str, sha256: str) -> bool:
    """Whether a source is still the one of a digest, whichever kind of digest that is.

    Raises:
        DataError: it cannot be read.
    """
    if sha256.startswith(SAMPLED):
        return volume_identity(Path(name)) == sha256
    return source_digest([name]) == sha256


def one_digest(digests: Sequence[str]) -> str:
    """Return the digest that stands for those of a case's files."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def decision_digest(decision: AnyDecision) -> str:
    """Return the digest that the ledger notes of a decision."""
    return hashlib.sha256(decision.model_dump_json().encode()).hexdigest()
