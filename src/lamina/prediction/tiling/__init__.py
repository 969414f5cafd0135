"""Tiled inference of one image in memory."""
