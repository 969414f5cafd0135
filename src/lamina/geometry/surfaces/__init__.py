"""Surfaces of masks and the distances between them."""

from __future__ import annotations

from lamina.geometry.surfaces.distances import surface, surface_distances

__all__ = ["surface", "surface_distances"]
