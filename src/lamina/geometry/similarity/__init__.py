"""Structural similarity of planes and volumes."""

from lamina.geometry.similarity.similarity import K1, K2, Kernel, Window, similarity

__all__ = ["K1", "K2", "Kernel", "Window", "similarity"]
