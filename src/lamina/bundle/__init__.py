"""What training leaves and prediction takes; a folder or a zip, verified on load."""

from __future__ import annotations

from lamina.bundle.bundle import Bundle, MemberWeights, load_bundles, versions
from lamina.bundle.index import KnownCase, MemberFile

__all__ = ["Bundle", "KnownCase", "MemberFile", "MemberWeights", "load_bundles", "versions"]
