"""Figures of a report as SVG, each with its numbers."""
