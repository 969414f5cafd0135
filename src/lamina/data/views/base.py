"""Volumes that look at other volumes."""

from __future__ import annotations

from dataclasses import is_dataclass

from lamina.volume import Volume


def behind(volume: Volume) -> Volume | None:
    """Return the volume that a view looks at; None for volumes that are no views."""
    source = getattr(volume, "source", None)
    return source if is_dataclass(volume) and isinstance(source, Volume) else None
