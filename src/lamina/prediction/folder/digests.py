"""Digests of the files behind a case, and of the decision on it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lamina.data.index.known_digests import KnownDigests
from lamina.data.index.volume_identity import SAMPLED, volume_identity
from lamina.files import digest
from lamina.folders import remote_url
from lamina.result.decisions import AnyDecision

ETAGS = "+etags:"
"""Between the digest of objects and that of their ETags."""


def source_digest(files: Sequence[str], known: KnownDigests | None = None) -> str:
    """Return the digest of a case's files: that of the one file, or of all digests in order.

    Of a volume in object storage it is what identifies it.

    Args:
        files: Names of files, folders and volumes in object storage.
        known: What need not be read again, as long as size and time are the same.
    """
    return one_digest([_source_digest(name, known or KnownDigests()) for name in files])


def _source_digest(name: str, known: KnownDigests) -> str:
    path = Path(name)
    if remote_url(path):
        return volume_identity(path)
    return known.of(name) or digest(path)


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


def agrees(noted: object, now: str | None) -> bool:
    """Whether what a ledger notes of files or objects is what they are now.

    Args:
        noted: A digest, of objects followed by that of their ETags.
        now: The digest of files as they are read, or of the ETags of objects alone; None: one of
            them is missing.
    """
    if now is None or not isinstance(noted, str):
        return False
    return noted.endswith(now) if now.startswith(ETAGS) else noted == now


def stored_digest(path: Path) -> str | None:
    """Return the digest of a stored answer as it is now, for ``agrees``; None: it is missing.

    Of a store in object storage that is the digest of its ETags.
    """
    if remote_url(path) is not None:
        from lamina.prediction.streaming.remote_chunks import etags_of

        return etags_of(path)
    return digest(path) if path.exists() else None


def decision_digest(decision: AnyDecision) -> str:
    """Return the digest that the ledger notes of a decision."""
    return hashlib.sha256(decision.model_dump_json().encode()).hexdigest()
