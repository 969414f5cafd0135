"""Digests of the files behind a case, and of the decision on it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lamina.files import digest
from lamina.result.decisions import AnyDecision


def source_digest(files: Sequence[str]) -> str:
    """Return the digest of a case's files: that of the one file, or of all digests in order."""
    return one_digest([digest(Path(name)) for name in files])


def one_digest(digests: Sequence[str]) -> str:
    """Return the digest that stands for those of a case's files."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def decision_digest(decision: AnyDecision) -> str:
    """Return the digest that the ledger notes of a decision."""
    return hashlib.sha256(decision.model_dump_json().encode()).hexdigest()
