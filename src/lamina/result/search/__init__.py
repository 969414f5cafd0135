"""Exact searches for the thresholds and minimum areas of a decision."""
