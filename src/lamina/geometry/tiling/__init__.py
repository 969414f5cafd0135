"""Overlapping tiles and their blending weights."""
